internal import Journal
internal import Mirror
internal import Projection
internal import RESP

// How the driver aligns, mends and looks around, in the order in which `MirrorLink` asks.
extension MirrorDriver {
    mutating func beginAlign(_ name: JournalName, _ out: inout Outbox) {
        let command = JournalFunctions.lineage(name, birth: freshMark(), cursor: .zero, peer: peer, copyBirth: "")
        out.ask(.local, command, .mirror(.born(name)))
    }

    mutating func align(
        _ name: JournalName, _ question: Question, _ result: Result<StoreReply, StoreFailure>, now: Int,
        _ out: inout Outbox
    ) {
        guard let index = index(of: name) else { return }
        if case .failure(let failure) = result {
            journals[index].machine.refused(Refusal(failure))
            return advance(index, &out)
        }
        switch question {
        case .born:
            guard let born = SourceState(result) else { return }
            out.ask(
                .peer, JournalFunctions.open(name, birth: born.birth), .mirror(.open(name, trimmed: born.passed ?? 0)))
        case .open(_, let trimmed):
            guard let copy = CopyState(result) else { return }
            let command = JournalFunctions.lineage(
                name, birth: freshMark(), cursor: copy.last, peer: peer, copyBirth: copy.birth ?? "")
            out.ask(.local, command, .mirror(.lineage(name, copy, trimmed: trimmed)))
        case .lineage(_, let copy, let trimmed):
            guard let source = SourceState(result) else { return }
            judge(index, copy, source, trimmed, now: now, &out)
        default: break
        }
    }

    private mutating func judge(
        _ index: Int, _ copy: CopyState, _ source: SourceState, _ trimmed: UInt64, now: Int, _ out: inout Outbox
    ) {
        let name = journals[index].name
        switch Lineage.verdict(on: name.topic, copy: copy, source: source) {
        case .resume(let resumption): resume(index, resumption, copy, source, now: now, &out)
        case .adopt:
            journals[index].repair = CopyRepair(adopting: copy, source: source)
            journals[index].wasFenced = false
            journals[index].machine.parted()
        case .parted(let divergence):
            journals[index].repair = CopyRepair(
                of: name.topic, divergence, copy: copy, source: source, trimmed: trimmed)
            journals[index].wasFenced = false
            journals[index].machine.parted()
        case .stop(let divergence):
            journals[index].wasFenced = false
            journals[index].machine.diverged(divergence)
        }
        advance(index, &out)
    }

    private mutating func resume(
        _ index: Int, _ resumption: Resumption, _ copy: CopyState, _ source: SourceState, now: Int,
        _ out: inout Outbox
    ) {
        let isEmptied = journals[index].wasFenced && journals[index].birth == source.birth
        let wentBack =
            journals[index].wasAligned && (isEmptied || copy.last < journals[index].machine.acknowledged)
        journals[index].wasFenced = false
        journals[index].birth = source.birth
        journals[index].copied = copy.count
        journals[index].missed = source.missed ?? 0
        journals[index].passed = source.passed ?? copy.count + journals[index].missed
        journals[index].isUncounted = true
        journals[index].wasAligned = true
        journals[index].wantedRead = nil
        let missed = journals[index].passed - copy.count
        if source.missed != missed { note(missed: missed, index, &out) }
        journals[index].machine.aligned(at: resumption.cursor)
        resumed(journals[index].name)
        guard wentBack, !isReviewDue else { return }
        isReviewDue = true
        out.alarms.append((max(0, nextReview - now), .again(session: session)))
    }

    /// The peer's Redis lost something: looks at all journals.
    mutating func review(now: Int, _ out: inout Outbox) {
        isReviewDue = false
        nextReview = now + 1000
        for index in journals.indices { reconsider(index, &out) }
    }

    // MARK: Looking around

    /// Once a second: marks and process of the source, a probe, and every fifth time what was stopped.
    mutating func watch(now: Int, _ out: inout Outbox) {
        turn += 1
        if turn.isMultiple(of: 5) {
            for index in journals.indices where journals[index].machine.isStopped {
                journals[index].machine.lookedAgain()
                advance(index, &out)
            }
        }
        let names = journals.filter { $0.machine.isStreaming }.map(\.name)
        out.sends.append((.local, .look(names), .mirror(.look(names))))
        let heartbeat = Heartbeat(peer: peer, voice: 0, provisioning: 0)
        out.ask(
            .local, Heartbeat.probe(to: peer, with: heartbeat, appendingTo: JournalName.control(origin: region)),
            .mirror(.nothing))
        out.ask(.peer, RedisCommand("GET", "ping"), .ping)
        out.alarms.append((1000, .watch(session: session)))
    }

    mutating func looked(_ names: [JournalName], _ runID: Int, _ births: [String?], _ out: inout Outbox) {
        let isOther = self.runID.map { $0 != runID } ?? false
        self.runID = runID
        if isOther {
            for index in journals.indices { reconsider(index, &out) }
        }
        for (name, birth) in zip(names, births) {
            guard let index = index(of: name), journals[index].machine.isStreaming, birth != journals[index].birth
            else { continue }
            reconsider(index, &out)
        }
    }

    // MARK: Mending

    /// Asks for the next step of the repair that comes first.
    mutating func performRepair(_ name: JournalName, _ out: inout Outbox) {
        guard let index = index(of: name), let action = journals[index].repair?.nextAction() else {
            return endRepair(nil, &out)
        }
        let question = Simulation.Question.mirror(.repair(name))
        switch action {
        case .findInSource(let id): out.ask(.local, Self.newest(of: name, through: id), question)
        case .findInCopy(let id): out.ask(.peer, Self.newest(of: name, through: id), question)
        case .adopt(let adoption): out.ask(.peer, JournalFunctions.adopt(name, adoption), question)
        case .readTail(let id):
            out.sends.append(
                (.peer, .read([JournalCursor(name, behind: id)], count: 3, mark: nil, waits: false), question))
        case .heal(let healing):
            out.ask(.local, JournalFunctions.heal(name, with: healing, entries: journals[index].piece), question)
        case .rebear(let rebirth):
            out.ask(.local, JournalFunctions.reborn(name, rebirth, fresh: freshMark(), peer: peer), question)
        case .fork(let fork, let birth): out.ask(.peer, JournalFunctions.fork(name, fork, birth: birth), question)
        }
    }

    private static func newest(of name: JournalName, through id: EntryID) -> RedisCommand {
        RedisCommand("XREVRANGE", name.key, id.description, "-", "COUNT", "1")
    }

    /// What a step of a repair came to.
    mutating func repaired(_ name: JournalName, _ result: Result<StoreReply, StoreFailure>, _ out: inout Outbox) {
        guard let index = index(of: name), let action = journals[index].repair?.nextAction() else { return }
        let reply: StoreReply
        switch result {
        case .success(let success): reply = success
        case .failure(let failure): return endRepair(Refusal(failure), &out)
        }
        switch action {
        case .findInSource: journals[index].repair?.sourceHolds(KeptEntry(reply))
        case .findInCopy: journals[index].repair?.copyHolds(KeptEntry(reply))
        case .adopt: journals[index].repair?.adopted()
        case .heal:
            journals[index].repair?.healed(upTo: reply.text.flatMap { EntryID($0) } ?? .zero)
        case .rebear: journals[index].repair?.reborn(reply.text ?? "")
        case .fork: journals[index].repair?.forked()
        case .readTail: break
        }
        performRepair(name, &out)
    }

    mutating func tailRead(_ name: JournalName, _ piece: EntryBatch?, _ out: inout Outbox) {
        guard let index = index(of: name) else { return }
        journals[index].piece = piece
        journals[index].repair?.tailRead(through: piece?.last)
        performRepair(name, &out)
    }

    /// The repair that comes first is over, or was refused; the next one begins.
    private mutating func endRepair(_ refusal: Refusal?, _ out: inout Outbox) {
        guard !repairs.isEmpty else { return }
        let name = repairs.removeFirst()
        if let index = index(of: name) {
            journals[index].repair = nil
            if let refusal { journals[index].machine.refused(refusal) } else { journals[index].machine.repaired() }
            advance(index, &out)
        }
        if let next = repairs.first { performRepair(next, &out) }
    }
}
