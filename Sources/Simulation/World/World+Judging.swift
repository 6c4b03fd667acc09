internal import Capture
internal import Journal
internal import Mirror
internal import Projection

// Whether everything has come to rest, and what must hold then.
extension World {
    /// Whatever can be reached has everything.
    var isSettled: Bool {
        let isMirrored = regions.indices.allSatisfy { region in
            regions.indices.allSatisfy { peer in region == peer || isSettled(region, peer) }
        }
        return isMirrored && isCaptured && regions.indices.allSatisfy(isProjected)
    }

    /// A link works while messages come through both ways.
    private func isOpen(_ region: Int, _ peer: Int) -> Bool {
        cuts.isDisjoint(with: [Direction(from: region, to: peer), Direction(from: peer, to: region)])
    }

    private func isSettled(_ region: Int, _ peer: Int) -> Bool {
        guard isOpen(region, peer) else { return isCutTold(region, peer) }
        let index = peer < region ? peer : peer - 1
        let isStreaming = regions[region].workers.contains { worker in
            worker.isWorking && worker.links[index].journals.allSatisfy(\.machine.isStreaming)
        }
        guard isStreaming else { return false }
        return shipped(from: region).allSatisfy { journal in
            // The control journal never rests.
            if journal.topic == .control { return true }
            let (home, away) = (regions[region].redis, regions[peer].redis)
            guard home.hash(journal.metaKey)["birth"] == away.hash(journal.metaKey)["birth"] else { return false }
            // The newest entries may be gone before they were read.
            let last = home.stream(journal.key)?.entries.last?.id ?? .zero
            return last <= away.stream(journal.key)?.generated ?? .zero
        }
    }

    /// The link of the region's worker to a peer; nil where no worker works.
    func link(_ region: Int, _ peer: Int) -> MirrorDriver? {
        regions[region].workers.first(where: \.isWorking)?.links[peer < region ? peer : peer - 1]
    }

    /// Nothing has to come through where one direction is cut: a connection is opened by an answer, and what is sent is
    /// known to be there by one, so that links of both regions end. What can be asked for is that who still heard the other
    /// says so: what it sends does not arrive. The other hears nothing, and says no more than that.
    private func isCutTold(_ region: Int, _ peer: Int) -> Bool {
        guard let cut = cutToTell else { return true }
        guard let link = link(region, peer), !link.isUp else { return false }
        let due: LinkHearing.Cut = region == cut.from ? .out : .unknown
        return link.hearing?.cut == due
    }

    /// The region that captures, as the newest history has it.
    private var capturing: Int? {
        regions.firstIndex { $0.name == postgres.history.last?.row.captureRegion }
    }

    private var isCaptured: Bool {
        guard plan.hasProvisioning, let capturing, canReachPostgres(capturing) else { return true }
        let end = postgres.transactions.last?.end ?? 0
        let meta = regions[capturing].redis.hash(JournalName.provisioning(origin: regions[capturing].name).metaKey)
        guard meta["position"].flatMap({ Position($0) })?.lsn ?? 0 >= end else { return false }
        return regions[capturing].workers.contains { $0.isWorking && $0.capture?.isAtRest(at: end) == true }
    }

    private func canReachPostgres(_ region: Int) -> Bool { region == 0 || isOpen(region, 0) }

    /// Everything in a region's journals is in its state.
    private func isProjected(_ region: Int) -> Bool {
        let redis = regions[region].redis
        for origin in regions {
            for tenant in plan.tenants {
                let journal = JournalName.voice(tenant: tenant, origin: origin.name)
                let cursor = redis.hash(ProjectionKeys.cursors(tenant: tenant))["voice:\(origin.name)"]
                let last = redis.stream(journal.key)?.entries.last?.id ?? .zero
                if last > cursor.flatMap({ EntryID($0) }) ?? .zero { return false }
            }
        }
        guard plan.hasProvisioning else { return true }
        let last = regions.compactMap { redis.stream(JournalName.provisioning(origin: $0.name).key)?.closed }
        let trailing = redis.hash(ProjectionKeys.trailing)["provisioning"].flatMap { Position($0) }?.number ?? 0
        return last.allSatisfy { $0 <= trailing }
    }

    mutating func judgeProgress() {
        offend("no progress after calm: \(unsettled)")
    }

    /// What has not come to rest, for people.
    private var unsettled: String {
        var words: [String] = []
        for region in regions.indices {
            for peer in regions.indices where region != peer && !isSettled(region, peer) {
                let index = peer < region ? peer : peer - 1
                let links = regions[region].workers.filter(\.isWorking).map { $0.links[index].words }
                words.append("link \(regions[region].name) to \(regions[peer].name) \(links)")
            }
            if !isProjected(region) { words.append("projection in \(regions[region].name)") }
        }
        if !isCaptured, let capturing {
            let captures = regions[capturing].workers.filter(\.isWorking).map { $0.capture?.words ?? "" }
            words.append("capture in \(regions[capturing].name) \(captures), the log's end is \(postgres.end)")
        }
        return words.joined(separator: ", ")
    }

    // MARK: The end

    /// Everything came to rest: copies are what their journals are, caches what PostgreSQL is, calls what journals make.
    mutating func judgeEnd() {
        for region in regions.indices {
            for peer in regions.indices where peer != region && isOpen(region, peer) {
                for journal in shipped(from: region) where journal.topic != .control {
                    judgeCopy(journal, region, peer)
                }
            }
            judgeCalls(region)
            if plan.hasProvisioning { judgeCache(region) }
        }
        if plan.hasProvisioning, let capturing, canReachPostgres(capturing) { judgeTransactions(capturing) }
        judgeEvents()
        judgeHistories()
        guard losses == 0 else { return }
        for region in regions {
            for worker in region.workers where worker.provisioning.map({ $0.incomplete > 0 }) ?? false {
                offend("transactions in \(region.name) lack entries")
            }
        }
    }

    /// Streams of one mark have one history: where two reach, they hold the same.
    private mutating func judgeHistories() {
        guard cuts.isEmpty else { return }  // what cannot be reached cannot be mended
        for watched in journals {
            var histories: [(birth: String, entries: [SimulatedStream.Entry])] = []
            for region in regions {
                for case (let key, .stream(let stream)) in region.redis.values
                where key == watched.key || key.hasPrefix("\(watched.key):closed:") {
                    if let birth = region.redis.hash("\(key):meta")["birth"] {
                        histories.append((birth, stream.entries))
                    }
                }
            }
            for (index, one) in histories.enumerated() {
                for other in histories[(index + 1)...]
                where other.birth == one.birth && !isAlike(one.entries, other.entries) {
                    offend("two histories of \(watched.key) under the mark \(one.birth)")
                }
            }
        }
    }

    private func isAlike(_ one: [SimulatedStream.Entry], _ other: [SimulatedStream.Entry]) -> Bool {
        guard let first = one.first?.id, let last = one.last?.id, let otherFirst = other.first?.id,
            let otherLast = other.last?.id
        else { return true }
        let (from, through) = (max(first, otherFirst), min(last, otherLast))
        guard from <= through, trims == 0 else { return true }
        return one.filter { (from...through).contains($0.id) } == other.filter { (from...through).contains($0.id) }
    }

    /// No event that was acknowledged is gone but those that a fault destroyed; none is twice in a stream, none was made up.
    private mutating func judgeEvents() {
        let lost = acknowledged.subtracting(contents).subtracting(destroyed)
        if !lost.isEmpty { offend("\(lost.count) events are gone that no fault destroyed") }
        for region in regions {
            for case (let key, .stream(let stream)) in region.redis.values {
                let events = stream.entries.map(\.content).filter { $0.hasPrefix("event\0Event") }
                if Set(events).count < events.count { offend("events are twice in \(key) of \(region.name)") }
                if !acknowledged.isSuperset(of: events) { offend("nobody wrote what is in \(key) of \(region.name)") }
                if zip(stream.entries, stream.entries.dropFirst()).contains(where: { $0.id >= $1.id }) {
                    offend("entries are out of order in \(key) of \(region.name)")
                }
            }
        }
    }

    /// A copy is what its journal is, but for what left that before it came; how much that was is known.
    private mutating func judgeCopy(_ journal: JournalName, _ region: Int, _ peer: Int) {
        let (home, away) = (regions[region].redis, regions[peer].redis)
        guard let own = home.stream(journal.key) else { return }
        let first = own.entries.first?.id
        let copied = away.stream(journal.key)?.entries.filter { entry in first.map { entry.id >= $0 } ?? false } ?? []
        if copied != own.entries { offend("\(journal) and its copy in \(regions[peer].name) differ") }
        guard losses == 0 else { return }
        let count = UInt64(away.hash(journal.metaKey)["count"] ?? "") ?? 0
        let missed = UInt64(home.hash(journal.metaKey)["missed:\(regions[peer].name)"] ?? "") ?? 0
        if count + missed != own.added {
            offend("\(journal) was given \(own.added), its copy \(count), and \(missed) are known to lack")
        }
    }

    private mutating func judgeCalls(_ region: Int) {
        guard losses == 0, trims == 0 else { return }
        let (name, redis) = (regions[region].name, regions[region].redis)
        let journals = regions.flatMap { origin in
            plan.tenants.map { JournalName.voice(tenant: $0, origin: origin.name) }
        }
        if redis.calls != redis.replayed(journals, region: name).calls {
            offend("the calls in \(name) are not what the journals there make of them")
        }
    }

    private mutating func judgeCache(_ region: Int) {
        let (name, redis) = (regions[region].name, regions[region].redis)
        guard let capturing, canReachPostgres(capturing), region == capturing || isOpen(capturing, region)
        else { return }
        let rows = Dictionary(
            uniqueKeysWithValues: postgres.rows.map { ($0.key.name, SimulatedPostgres.columns(of: $0.key, $0.value)) })
        let objects = redis.objects
        // What is known to be wrong, or may be, waits for the worker's own verification, which is not simulated.
        let isStale = redis.hash(ProjectionKeys.trailing)[Staleness.field] != nil
        let differing = Set(rows.keys).union(objects.keys).filter { name in
            let quarantine = redis.set(ProjectionKeys.quarantine(tenant: name.tenant))
            return rows[name] != objects[name] && !quarantine.contains("\(name.type):\(name.key)") && !isStale
        }
        if !differing.isEmpty {
            let names = differing.map { "\($0.tenant)/\($0.key)" }.sorted()
            offend("the cache of \(name) is not what PostgreSQL holds: \(names)")
        }
        // Where objects may be wrong, two may hold one value of a unique index.
        for tenant in plan.tenants where !isStale {
            let problems = redis.problems(tenant: tenant, type: "person", unique: "user_name", shared: "place")
            if !problems.isEmpty { offend("in the cache of \(name), tenant \(tenant): \(problems)") }
        }
    }

    /// The journal of the region that captures holds every transaction behind its last snapshot once, whole, in order.
    private mutating func judgeTransactions(_ region: Int) {
        let journal = JournalName.provisioning(origin: regions[region].name)
        let entries = regions[region].redis.stream(journal.key)?.entries ?? []
        var counts: [UInt64: Int] = [:]
        for entry in entries { counts[entry.id.first, default: 0] += 1 }
        var ends: [UInt64] = []
        for entry in entries {
            switch entry.value(of: "op") {
            case "end-snapshot": ends.removeAll()
            case "commit":
                ends.append(UInt64(entry.value(of: "end") ?? "") ?? 0)
                guard let count = entry.value(of: "count"), Int(count) != counts[entry.id.first, default: 0] - 1 else {
                    continue
                }
                offend("the transaction at \(entry.id) has \(counts[entry.id.first, default: 0]) entries")
            default: break
            }
        }
        let point = entries.last { $0.value(of: "op") == "end-snapshot" }?.value(of: "end").flatMap { UInt64($0) } ?? 0
        let due = postgres.transactions.filter { $0.end > point && !$0.changes.isEmpty }.map(\.end)
        if ends != due { offend("the journal holds the transactions that end at \(ends), not those at \(due)") }
    }
}

extension SimulatedStream {
    /// The position of the last transaction or snapshot that is whole.
    fileprivate var closed: UInt64? {
        entries.last { ["commit", "end-snapshot"].contains($0.value(of: "op") ?? "") }?.id.first
    }
}
