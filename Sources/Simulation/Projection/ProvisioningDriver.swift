internal import Journal
internal import Projection
internal import RESP
internal import RegionConfig

/// Drives a `ProvisioningFold` as `ProvisioningProjection` and `ProvisioningPerformer` do: calls in flight, one after the
/// other, waiting only where the fold needs an answer.
struct ProvisioningDriver: Driver {
    enum Question {
        case trailing
        case tenants
        case cursors(tenant: String)
        case quarantine(tenant: String)
        case read
        /// One of the calls in flight.
        case call
        /// Tenants are known, and the fold may go on.
        case registered
        case object(ProvisioningFold.ObjectName)
        case walk
        case located(JournalName)
        case advanced(Position)
        /// Whether the trailing cursor is where it was left.
        case look
    }

    private let own: Server
    private let journals: [JournalName]
    private let layouts: IndexLayouts
    private let limits: ProvisioningFold.Limits
    private let readEntries: Int
    private(set) var fold: ProvisioningFold?
    private var attempt = 0
    /// It waits before it connects again.
    private var isDown = false
    private var counted: [JournalName: EntryID] = [:]

    // While a session begins.
    private var found: (trailing: Position, staleness: Staleness?, inexactness: Inexactness) = (
        .zero, nil, Inexactness()
    )
    private var tenants: [String] = []
    private var cursors: [String: TenantCursor] = [:]
    private var quarantined: Set<ProvisioningFold.ObjectName> = []

    // While it lasts.
    private var awaited = 0
    private var inFlight = 0
    private var isReading = false
    private var rows: [ProvisioningFold.ObjectName: StoredRow] = [:]
    private var walks: [ObjectWalk.Answer] = []
    /// What the trailing cursor is, and what it was or will be told to be.
    private var trailing = Position.zero
    private var advanced = Position.zero
    /// Transactions that were given up since their journal went on, that came late, lacked entries or were unreadable.
    private(set) var incomplete = 0

    init(own: Server, journals: [JournalName], catalog: Catalog, limits: ProvisioningFold.Limits, readEntries: Int) {
        self.own = own
        self.journals = journals
        layouts = IndexLayouts(catalog)
        self.limits = limits
        self.readEntries = readEntries
    }

    /// Nothing is under way.
    var isAtRest: Bool { fold != nil && awaited == 0 && inFlight == 0 && trailing == advanced }

    mutating func take(_ fact: Fact, now: Int, _ out: inout Outbox) {
        switch fact {
        case .started, .woke(.connect):
            isDown = false
            out.connects.append((.local, own))
        case .connected(.local, _): out.connects.append((.reader, own))
        case .connected:
            out.ask(
                .local,
                RedisCommand("HMGET", ProjectionKeys.trailing, "provisioning", Staleness.field, Inexactness.field),
                .provisioning(.trailing))
        case .lost, .woke: fail(&out)
        case .answered(.provisioning(let question), let answer): answered(question, answer, &out)
        case .answered: break
        }
    }

    private mutating func fail(_ out: inout Outbox) {
        guard !isDown else { return }
        isDown = true
        if let fold {
            incomplete += fold.counts.incomplete
            counted = fold.counted
        }
        fold = nil
        (awaited, inFlight, isReading) = (0, 0, false)
        (tenants, cursors, quarantined, rows, walks) = ([], [:], [], [:], [])
        out.closes += [.local, .reader]
        out.alarms.append((min(500, 10 << min(attempt, 10)), .connect))
        attempt += 1
    }

    private mutating func answered(_ question: Question, _ answer: Answer, _ out: inout Outbox) {
        if case .read(let reads, _) = answer { return read(reads, &out) }
        guard case .redis(.success(let reply)) = answer else { return fail(&out) }
        switch question {
        case .trailing, .tenants, .cursors, .quarantine: aligned(question, reply, &out)
        case .call:
            inFlight -= 1
            next(&out)
        case .registered:
            awaited = 0
            next(&out)
        case .object(let name):
            awaited -= 1
            rows[name] = StoredRow(reply)
            guard awaited == 0 else { return }
            fold?.fetched(rows)
            rows = [:]
            next(&out)
        case .walk:
            awaited -= 1
            walks.append(ObjectWalk.Answer(reply))
            guard awaited == 0 else { return }
            fold?.walked(walks)
            walks = []
            next(&out)
        case .located(let journal):
            awaited = 0
            if let entry = reply.elements.first?.elements, entry.count == 2, let id = entry[0].id {
                let words = entry[1].elements.compactMap(\.text)
                fold?.located(
                    journal, id, operation: SimulatedStream.Entry(id: id, fields: words).value(of: "op") ?? "")
            }
            next(&out)
        case .advanced(let position):
            trailing = position
            next(&out)
        case .look:
            guard reply.text.flatMap({ Position($0) }) ?? .zero == advanced else { return fail(&out) }
        case .read: break
        }
    }

    // MARK: Beginning

    private mutating func aligned(_ question: Question, _ reply: StoreReply, _ out: inout Outbox) {
        switch question {
        case .trailing:
            let held = reply.elements.map(\.text)
            found.trailing = held.first.flatMap { $0 }.flatMap { Position($0) } ?? .zero
            guard held.count == 3 else { return fail(&out) }
            found.staleness = held[1].flatMap { Staleness($0) }
            found.inexactness = Inexactness(held[2] ?? "")
            return out.ask(.local, RedisCommand("SMEMBERS", tenantsKey), .provisioning(.tenants))
        case .tenants:
            tenants = reply.elements.compactMap(\.text).sorted()
            awaited = 2 * tenants.count
            for tenant in tenants {
                out.ask(
                    .local, RedisCommand("HMGET", ProjectionKeys.cursors(tenant: tenant), "provisioning", "applying"),
                    .provisioning(.cursors(tenant: tenant)))
                out.ask(
                    .local, RedisCommand("SMEMBERS", ProjectionKeys.quarantine(tenant: tenant)),
                    .provisioning(.quarantine(tenant: tenant)))
            }
        case .cursors(let tenant):
            awaited -= 1
            let held = reply.elements.map(\.text)
            cursors[tenant] = TenantCursor(
                held.first.flatMap { $0 }.flatMap { Position($0) } ?? .zero, mark: held.last.flatMap { $0 } ?? "")
        case .quarantine(let tenant):
            awaited -= 1
            for name in reply.elements.compactMap(\.text) {
                let parts = name.split(separator: ":", maxSplits: 1).map(String.init)
                guard parts.count == 2 else { continue }
                quarantined.insert(ProvisioningFold.ObjectName(tenant: tenant, type: parts[0], key: parts[1]))
            }
        default: break
        }
        guard awaited == 0 else { return }
        (trailing, advanced, attempt) = (found.trailing, found.trailing, 0)
        fold = ProvisioningFold(
            journals: journals, layouts: layouts, trailing: trailing, cursors: cursors, quarantined: quarantined,
            counted: counted, staleness: found.staleness, inexactness: found.inexactness, limits: limits)
        next(&out)
    }

    // MARK: Folding

    private mutating func read(_ reads: [JournalRead], _ out: inout Outbox) {
        isReading = false
        guard fold != nil else { return }
        for read in reads {
            do { try fold?.read(read) } catch { return fail(&out) }
        }
        if reads.isEmpty, inFlight == 0, awaited == 0, trailing == advanced {
            out.ask(.local, RedisCommand("HGET", ProjectionKeys.trailing, "provisioning"), .provisioning(.look))
        }
        next(&out)
    }

    /// Performs actions until the fold waits, then reads on.
    private mutating func next(_ out: inout Outbox) {
        guard fold != nil, awaited == 0 else { return }
        while awaited == 0, inFlight < 20, let action = fold?.nextAction() { perform(action, &out) }
        guard awaited == 0, let fold else { return }
        if inFlight == 0, fold.completed > advanced {
            advanced = fold.completed
            out.ask(
                .local, ProjectionFunctions.advance(from: trailing, to: advanced), .provisioning(.advanced(advanced)))
        }
        guard inFlight < 20, !isReading else { return }
        isReading = true
        out.sends.append(
            (.reader, .read(fold.wanted, count: readEntries, mark: nil, waits: true), .provisioning(.read)))
    }

    private mutating func perform(_ action: ProvisioningFold.Action, _ out: inout Outbox) {
        switch action {
        case .apply(let call): give(call.command, &out)
        case .register(let tenants):
            awaited = 1
            out.ask(.local, RedisCommand(words: ["SADD", tenantsKey] + tenants, runs: []), .provisioning(.registered))
        case .fetch(let names):
            awaited = names.count
            for name in names {
                let key = ProjectionKeys.object(tenant: name.tenant, type: name.type, id: name.key)
                out.ask(.local, RedisCommand("HGETALL", key), .provisioning(.object(name)))
            }
        case .walk(let walks):
            awaited = walks.count
            for walk in walks { out.ask(.local, walk.command, .provisioning(.walk)) }
        case .locate(let journal, let position):
            awaited = 1
            out.ask(
                .local,
                RedisCommand("XREVRANGE", journal.key, "\(position)-\(UInt64.max)", "\(position)-0", "COUNT", "1"),
                .provisioning(.located(journal)))
        case .quarantine(let name, _, let cursor):
            give(ProjectionFunctions.quarantine("SADD", name, at: cursor), &out)
        case .release(let name, let cursor): give(ProjectionFunctions.quarantine("SREM", name, at: cursor), &out)
        case .mark(let new, let old):
            give(
                ProjectionFunctions.mark(
                    Staleness.field, from: old?.description, to: new?.description, at: trailing), &out)
        case .note(let new, let old):
            give(
                ProjectionFunctions.mark(
                    Inexactness.field, from: old.description, to: new.description, at: trailing), &out)
        }
    }

    private mutating func give(_ command: RedisCommand, _ out: inout Outbox) {
        inFlight += 1
        out.ask(.local, command, .provisioning(.call))
    }
}
