import Journal
import Mirror

/// A link of one journal to one peer, as `MirrorLink` drives it: the machine, the repair, and answers on their way. A lost
/// link loses them all, whatever the servers have done.
struct ModelLink {
    enum Answer {
        case aligned(CopyState, SourceState, trimmed: UInt64)
        case read([ModelRedis.Entry], behind: EntryID, mark: Int)
        case appended(MirrorMachine.Batch, count: Int, Refusal?)
        case step((inout CopyRepair) -> Void)
        case refused(Refusal)
    }

    let number: Int
    var machine: MirrorMachine
    var redis = ModelRedis()
    var answers: [Answer] = []
    private var repair: CopyRepair?
    private var wantedRead: EntryID?
    private var batch: [ModelRedis.Entry] = []
    private var piece: [ModelRedis.Entry] = []
    private var birth = ""
    private var passed: UInt64 = 0
    private var missed: UInt64 = 0
    private var mark = 0
    private var marksDrawn = 0
    /// Forks that were carried out by this link, as they were decided.
    private(set) var forks: [Fork] = []
    private(set) var stops: [Divergence] = []

    init(number: Int, windowBytes: Int) {
        self.number = number
        machine = MirrorMachine(windowBytes: windowBytes)
    }

    private mutating func freshBirth() -> String {
        marksDrawn += 1
        return "\(number)-\(marksDrawn)"
    }

    // MARK: What happens to it

    mutating func lose(mark: Int) {
        machine.linkLost()
        answers.removeAll()
        repair = nil
        wantedRead = nil
        self.mark = mark
    }

    /// What `MirrorLink` looks at once a second.
    mutating func watch(_ source: ModelRedis) {
        guard machine.isStreaming else { return }
        if source.meta?.birth != birth { machine.sourceChanged() }
        let isReading = answers.contains { if case .read = $0 { true } else { false } }
        guard !isReading, let count = source.passed(machine.readCursor, limit: 16), count != passed else { return }
        if count > passed {
            missed += count - passed
            passed = count
        }
        machine.sourceChanged()
        wantedRead = nil
    }

    mutating func advance(_ source: inout ModelRedis) {
        while let action = machine.nextAction() {
            switch action {
            case .align: answers.append(align(&source))
            case .read(let after): wantedRead = after
            case .append(let unit):
                let refusal = redis.append(batch, behind: unit.previous, birth: birth)
                answers.append(.appended(unit, count: batch.count, refusal))
            case .repair: perform(&source)
            case .stop(let divergence): stops.append(divergence)
            }
        }
    }

    private mutating func align(_ source: inout ModelRedis) -> Answer {
        let born = source.lineage(cursor: .zero, peer: number, copyBirth: nil, fresh: freshBirth())
        let copy = redis.open(birth: born.birth)
        let state = source.lineage(cursor: copy.last, peer: number, copyBirth: copy.birth, fresh: "")
        return .aligned(copy, state, trimmed: born.passed ?? 0)
    }

    /// Answers the read that is under way, with up to `count` entries or nothing.
    mutating func serveRead(_ source: ModelRedis, count: Int, mark: Int) {
        guard let after = wantedRead else { return }
        wantedRead = nil
        let entries = (source.stream?.entries ?? []).filter { $0.id > after }
        answers.append(.read(Array(entries.prefix(count)), behind: after, mark: mark))
    }

    /// Hands on the oldest answer.
    mutating func deliver(_ source: inout ModelRedis) {
        guard !answers.isEmpty else { return }
        switch answers.removeFirst() {
        case .aligned(let copy, let state, let trimmed): aligned(copy, state, trimmed, &source)
        case .read(let entries, let cursor, let mark): read(entries, behind: cursor, mark: mark)
        case .appended(let unit, _, nil): machine.appended(unit)
        case .appended(let unit, _, let refusal?): machine.refused(unit, refusal)
        case .refused(let refusal):
            repair = nil
            machine.refused(refusal)
        case .step(let report):
            guard var next = repair else { return }
            report(&next)
            repair = next
            if next.nextAction() == nil {
                repair = nil
                machine.repaired()
            } else {
                perform(&source)
            }
        }
    }

    private mutating func aligned(
        _ copy: CopyState, _ state: SourceState, _ trimmed: UInt64, _ source: inout ModelRedis
    ) {
        switch Lineage.verdict(on: .voice, copy: copy, source: state) {
        case .resume(let resumption):
            birth = state.birth
            passed = state.passed ?? copy.count + (state.missed ?? 0)
            missed = passed - copy.count
            source.meta?.missed[number] = missed
            machine.aligned(at: resumption.cursor)
        case .adopt:
            repair = CopyRepair(adopting: copy, source: state)
            machine.parted()
        case .parted(let divergence):
            repair = CopyRepair(of: .voice, divergence, copy: copy, source: state, trimmed: trimmed)
            machine.parted()
        case .stop(let divergence): machine.diverged(divergence)
        }
    }

    private mutating func read(_ entries: [ModelRedis.Entry], behind cursor: EntryID, mark: Int) {
        guard mark == self.mark else { return lose(mark: mark) }
        guard let last = entries.last else { return machine.readFailed(after: cursor) }
        let before = machine.readCursor
        batch = entries
        machine.sourceRead(
            MirrorMachine.Batch(previous: cursor, last: last.id, byteCount: entries.count * 10))
        if machine.readCursor != before { passed += UInt64(entries.count) }
    }

    private mutating func perform(_ source: inout ModelRedis) {
        guard let action = repair?.nextAction() else { return }
        switch action {
        case .findInSource(let id):
            let entry = source.newest(through: id)
            answers.append(.step { $0.sourceHolds(entry) })
        case .findInCopy(let id):
            let entry = redis.newest(through: id)
            answers.append(.step { $0.copyHolds(entry) })
        case .adopt(let adoption): answers.append(answer(redis.adopt(adoption)) { $0.adopted() })
        case .readTail(let id):
            piece = Array((redis.stream?.entries ?? []).filter { $0.id > id }.prefix(3))
            let last = piece.last?.id
            answers.append(.step { $0.tailRead(through: last) })
        case .heal(let healing):
            switch source.heal(healing, piece) {
            case .success(let last): answers.append(.step { $0.healed(upTo: last) })
            case .failure(let refusal): answers.append(.refused(refusal))
            }
        case .rebear(let rebirth):
            switch source.rebear(rebirth, fresh: freshBirth(), peer: number) {
            case .success(let birth): answers.append(.step { $0.reborn(birth) })
            case .failure(let refusal): answers.append(.refused(refusal))
            }
        case .fork(let fork, let birth):
            let refusal = redis.fork(fork, birth: birth)
            if refusal == nil { forks.append(fork) }
            answers.append(answer(refusal) { $0.forked() })
        }
    }

    private func answer(_ refusal: Refusal?, _ report: @escaping (inout CopyRepair) -> Void) -> Answer {
        refusal.map { .refused($0) } ?? .step(report)
    }
}
