internal import Journal

extension ProvisioningFold {
    /// Steps of walks taken together.
    private static let walksTogether = 64

    /// Turns the first piece of work into actions, or asks for what it needs.
    mutating func perform() {
        switch work[0] {
        case .whole(let transaction): perform(transaction)
        case .chunk(let changes, let isResolved):
            guard let position = chunked?.position else { return }
            flushJoined()
            var changes = changes
            if !isResolved {
                changes = unseen(changes, position)
                work[0] = .chunk(changes, isResolved: false)
                if fetchBases(of: changes) { return }
                changes = resolve(changes, at: position, [:])
            }
            work.removeFirst()
            give(changes, position)
        case .clear(let types, let below):
            for tenant in cursors.keys { chunked?.parts[tenant, default: 0] += 0 }
            work[0] = .walk(walks(types: types, below: below))
        case .walk(let walks):
            guard !walks.isEmpty else { return _ = work.removeFirst() }
            flushJoined()
            ready.append(.walk(Array(walks.prefix(Self.walksTogether))))
            isWaiting = true
        case .finish(let time):
            work.removeFirst()
            finish(time)
        }
    }

    private mutating func perform(_ transaction: WholeTransaction) {
        var transaction = transaction
        if !transaction.isResolved {
            transaction.changes = unseen(transaction.changes, transaction.position)
            if hasPatches(transaction.changes) {
                flushJoined()
                work[0] = .whole(transaction)
                if fetchBases(of: transaction.changes) { return }
                transaction.changes = resolve(transaction.changes, at: transaction.position, [:])
            }
        }
        work.removeFirst()
        register(transaction.changes)
        for (tenant, changes) in grouped(transaction.changes) { join(tenant, changes, transaction.position) }
        if transaction.snapshot != nil { flushJoined() }
        note(transaction.snapshot, at: transaction.position)
        folded = transaction.position
        if transaction.snapshot != .due { commitTimes.append(transaction.time) }
        counts.transactions += 1
    }

    /// What a snapshot, or the lack of one at the very beginning, says of the state behind it.
    private mutating func note(_ snapshot: ProvisioningEntry.Snapshot?, at position: Position) {
        switch snapshot {
        case .due where folded > .zero:
            if staleness?.cause != .missedChanges { mark(.missedChanges, since: position) }
        case .diff where staleness?.cause == .missedChanges: mark(.unverified, since: position)
        // A snapshot writes no index entry of an object that has not changed.
        case .whole: if staleness != nil { mark(.unverified, since: position) }
        case .due, .diff, nil:
            if folded == .zero { mark(.missingBeginning, since: position) }
        }
        if snapshot == .whole { inexactness.forget(before: position) }
    }

    /// A copy goes on behind a gap: what it lacks may be of any object.
    mutating func foundGap() {
        if staleness?.cause != .missedChanges { mark(.missingBeginning, since: folded) }
    }

    /// Keys of the state held something else and were replaced.
    package mutating func keysReplaced() {
        if staleness?.endsWithVerification ?? true { mark(.replacedKeys, since: folded) }
    }

    private mutating func mark(_ cause: Staleness.Cause?, since position: Position) {
        let new = cause.map { Staleness($0, since: position) }
        guard new != staleness else { return }
        ready.append(.mark(new, over: staleness))
        staleness = new
    }

    /// Before anything is applied, so that no worker that is killed leaves it out.
    mutating func sayInexactness() {
        guard inexactness != saidInexactness else { return }
        ready.append(.note(inexactness, over: saidInexactness))
        saidInexactness = inexactness
    }

    /// The changes of tenants that have not seen this position yet.
    private func unseen(_ changes: [ProvisioningChange], _ position: Position) -> [ProvisioningChange] {
        changes.filter { change in
            guard let name = change.name else { return true }
            return cursors[name.tenant].map { $0.position < position } ?? true
        }
    }

    private func grouped(_ changes: [ProvisioningChange]) -> [(String, ArraySlice<ProvisioningChange>)] {
        guard let first = changes.first?.name?.tenant else { return [] }
        if changes.allSatisfy({ $0.name?.tenant == first }) { return [(first, changes[...])] }
        var order: [String] = []
        var groups: [String: [ProvisioningChange]] = [:]
        for change in changes {
            guard let tenant = change.name?.tenant else { continue }
            if groups[tenant] == nil { order.append(tenant) }
            groups[tenant, default: []].append(change)
        }
        return order.map { ($0, (groups[$0] ?? [])[...]) }
    }

    // MARK: Whole transactions

    private mutating func join(_ tenant: String, _ changes: ArraySlice<ProvisioningChange>, _ position: Position) {
        if let call = joined[tenant],
            call.groups.objects + changes.count > limits.joinedObjects || call.groups.byteCount > limits.callBytes
        {
            flushJoined(tenant)
        }
        var call = joined[tenant] ?? JoinedCall(last: position)
        if joined.updateValue(JoinedCall(last: position), forKey: tenant) == nil { joinedOrder.append(tenant) }
        add(changes, position, to: &call.groups)
        call.last = position
        joined[tenant] = call
    }

    /// Gives out the calls that took transactions so far.
    mutating func flushJoined() {
        for tenant in joinedOrder { give(joined.removeValue(forKey: tenant), tenant) }
        joinedOrder.removeAll(keepingCapacity: true)
        if chunked == nil { settled = folded }
    }

    private mutating func flushJoined(_ tenant: String) {
        give(joined.removeValue(forKey: tenant), tenant)
        joinedOrder.removeAll { $0 == tenant }
    }

    private mutating func give(_ call: JoinedCall?, _ tenant: String) {
        guard let call else { return }
        give(call.groups, tenant, TenantCursor(call.last))
    }

    private mutating func give(_ groups: ObjectGroups, _ tenant: String, _ next: TenantCursor) {
        sayInexactness()
        let cursor = cursors.updateValue(next, forKey: tenant) ?? TenantCursor()
        ready.append(.apply(ProvisioningCall(tenant: tenant, groups: groups, from: cursor, to: next)))
    }

    // MARK: Chunks

    private mutating func give(_ changes: [ProvisioningChange], _ position: Position) {
        register(changes)
        for (tenant, changes) in grouped(changes) {
            var groups = ObjectGroups()
            add(changes, position, to: &groups)
            giveChunk(tenant, groups, position)
        }
    }

    private mutating func giveChunk(_ tenant: String, _ groups: ObjectGroups, _ position: Position) {
        guard !groups.isEmpty else { return }
        let part = (chunked?.parts[tenant] ?? 0) + 1
        chunked?.parts[tenant] = part
        give(groups, tenant, TenantCursor(cursors[tenant]?.position ?? .zero, mark: "\(position):\(part)"))
    }

    /// One walk a type for each tenant that has not seen this position yet.
    private func walks(types: [String], below: Position?) -> [ObjectWalk] {
        guard let position = chunked?.position else { return [] }
        return cursors.filter { $0.value.position < position }.keys.sorted().flatMap { tenant in
            types.map { ObjectWalk(tenant: tenant, type: $0, below: below) }
        }
    }

    mutating func delete(_ ids: [String], _ walk: ObjectWalk) {
        guard let position = chunked?.position else { return }
        var groups = ObjectGroups()
        for id in ids {
            groups.delete(ObjectName(tenant: walk.tenant, type: walk.type, key: id), layouts: layouts)
        }
        counts.objects += ids.count
        giveChunk(walk.tenant, groups, position)
    }

    private mutating func finish(_ time: Int64?) {
        guard let chunked else { return }
        for tenant in chunked.parts.keys.sorted()
        where cursors[tenant].map({ $0.position < chunked.position }) ?? true {
            give(ObjectGroups(), tenant, TenantCursor(chunked.position))
        }
        note(chunked.snapshot, at: chunked.position)
        folded = chunked.position
        settled = folded
        if let time { commitTimes.append(time) }
        counts.transactions += 1
        self.chunked = nil
    }

    // MARK: Objects

    private mutating func register(_ changes: [ProvisioningChange]) {
        var new: [String] = []
        for tenant in Set(changes.compactMap { $0.name?.tenant }) where cursors[tenant] == nil {
            cursors[tenant] = TenantCursor()
            new.append(tenant)
        }
        if !new.isEmpty { ready.append(.register(new.sorted())) }
    }

    private mutating func add(
        _ changes: some Sequence<ProvisioningChange>, _ position: Position, to groups: inout ObjectGroups
    ) {
        for change in changes {
            switch change {
            case .put(let name, let data):
                guard !name.isOfIndex else {
                    quarantine(name, .keyOfIndex)
                    continue
                }
                do {
                    try groups.put(name, data: data, version: position, layouts: layouts, writer: &writer)
                } catch {
                    quarantine(name, .unreadableRow)
                    continue
                }
                release(name)
            case .delete(let name):
                if !name.isOfIndex { groups.delete(name, layouts: layouts) }
                release(name)
            case .patch, .truncate: continue  // resolved, or walked, before
            }
            counts.objects += 1
        }
    }

    mutating func quarantine(_ name: ObjectName, _ problem: Problem) {
        quarantined.insert(name)
        ready.append(.quarantine(name, problem, at: cursors[name.tenant] ?? TenantCursor()))
    }

    private mutating func release(_ name: ObjectName) {
        guard !quarantined.isEmpty, quarantined.remove(name) != nil else { return }
        ready.append(.release(name, at: cursors[name.tenant] ?? TenantCursor()))
    }
}
