internal import Capture
internal import Journal
internal import PGOutput
internal import Traffic

// PostgreSQL's side of capture, and who changes what it holds.
extension World {
    /// A transaction of the applications, or other traffic, now and then.
    mutating func commit() {
        guard !isCalm else { return }
        agenda.add(.commit, at: now + 20 + random.below(plan.commitPause))
        guard isPostgresUp else { return }
        if random.chance(percent: 10) {
            postgres.move(by: UInt64(8 * (1 + random.below(20))))
        } else {
            change()
        }
        changed(.postgres)
    }

    /// A transaction of the applications.
    mutating func change() {
        let changes = Application(tenants: plan.tenants).transaction(postgres.rows, &random)
        postgres.commit(changes, at: commitTime)
    }

    /// What PostgreSQL answers; nil where it waits.
    mutating func carryOut(_ request: PostgresRequest, _ number: Int) -> PostgresAnswer? {
        let region = regions[wires[number].owner.region].name
        switch request {
        case .look(let journal): return .found(postgres.found(region: region, journal: journal))
        case .beginHistory(let history, let newest):
            postgres.beginHistory(history, after: newest, region: region)
        case .createPublication: postgres.hasPublication = true
        case .snapshot:
            guard postgres.slot?.wire == nil else { return .failed("the slot is active") }
            let point = postgres.makeSlot()
            return .snapshot(SimulatedPostgres.Snapshot(consistentPoint: LSN(point), rows: postgres.rows))
        case .stream(let lsn):
            guard let slot = postgres.slot, slot.wire == nil, !slot.isLost else { return .failed("the slot is in use") }
            postgres.slot?.wire = number
            // It came late through a connection that is over.
            if !wires[number].isHeld { agenda.add(.hangUp(wire: number), at: now + 1) }
            streamed = max(lsn.rawValue, slot.confirmed)
        case .receive:
            guard postgres.slot?.wire == number else { return .failed("no slot") }
            let (messages, end, isAll) = postgres.messages(from: streamed, count: 1 + random.below(4))
            guard !messages.isEmpty else { return nil }
            streamed = end
            return .messages(messages, walEnd: isAll ? LSN(end) : nil)
        case .report(let confirmed):
            guard postgres.slot?.wire == number else { return .failed("no slot") }
            postgres.confirm(confirmed.rawValue)
            checkConfirmed()
        }
        return .done
    }

    /// A stream that was silent for long is told where the log ends.
    mutating func keepAlive(_ number: Int) -> PostgresAnswer {
        guard postgres.slot?.wire == number else { return .failed("no slot") }
        streamed = max(streamed, postgres.end)
        return .messages([], walEnd: LSN(streamed))
    }

    /// PostgreSQL learns that a stream is over: at once, or when the silence was long enough.
    mutating func hangUp(_ number: Int) {
        if postgres.slot?.wire == number { postgres.slot?.wire = nil }
    }

    /// PostgreSQL was never told to forget what no journal holds.
    private mutating func checkConfirmed() {
        guard losses == 0, let slot = postgres.slot, let history = postgres.history.last?.row else { return }
        guard let region = regions.first(where: { $0.name == history.captureRegion }) else { return }
        let meta = region.redis.hash(JournalName.provisioning(origin: region.name).metaKey)
        let position = meta["position"].flatMap { Position($0) }
        if let position, position.history == history.number, position.lsn >= slot.confirmed { return }
        offend("\(slot.confirmed) is confirmed, the journal's position is \(position?.lsn ?? 0)")
    }
}
