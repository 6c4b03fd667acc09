import Capture
import Journal
import PGOutput
import Testing
import Traffic

/// Redis in one value: the guarded journal, whose last two seconds a crash may take unless each write is on disk at once.
private struct SimulatedRedis {
    struct State {
        var ids: [EntryID] = []
        var position: Position?
    }

    private(set) var state: State
    private var past: [(at: Duration, state: State)] = []
    var isWritable = true
    let isDurable: Bool

    init(position: Position, isDurable: Bool) {
        state = State(position: position)
        self.isDurable = isDurable
    }

    /// As `settlingTime` has it.
    var confirmDelay: Duration { isDurable ? .zero : .seconds(2) }

    var last: EntryID { state.ids.last ?? .zero }
    var journal: JournalState { JournalState(birth: "b", last: last, position: state.position) }

    /// Positions alone are refused now and then, as by a server that flips for a moment.
    mutating func append(_ batch: CaptureBatch, now: Duration, _ random: inout SplitMix64) -> Refusal? {
        guard isWritable else { return .unavailable("READONLY") }
        if batch.entries == nil, Int.random(in: 0..<4, using: &random) == 0 { return .unavailable("OOM") }
        guard batch.previous == last else { return .cursor(last: last) }
        past.append((now, state))
        try? batch.entries?.forEachEntry { state.ids.append($0.id) }
        if let position = batch.position, position > state.position ?? .zero { state.position = position }
        return nil
    }

    /// Loses up to two seconds of writes.
    mutating func crash(now: Duration, _ random: inout SplitMix64) {
        guard !isDurable, let to = past.filter({ $0.at > now - .seconds(2) }).randomElement(using: &random)
        else { return }
        state = to.state
        past.removeAll { $0.at >= to.at }
    }
}

/// PostgreSQL in one value: committed transactions as messages, and what it was told that it may forget.
private struct SimulatedPostgres {
    let transactions: [(end: UInt64, messages: [[UInt8]])]
    let flushed: LSN
    private var confirmations = [LSN(50)]

    var confirmed: LSN { confirmations.last ?? .zero }

    init(_ random: inout SplitMix64) {
        var lsn: UInt64 = 100
        var transactions: [(end: UInt64, messages: [[UInt8]])] = []
        for number in 0..<40 {
            let commit = lsn + 50
            var messages = [
                WireBytes.begin(commit), WireBytes.relation(1, "person", ["tenant_dbid", "dbid"]),
            ]
            for row in 0..<Int.random(in: 0...9, using: &random) {
                messages.append(WireBytes.insert(1, ["101", .text("\(number)\(row)")]))
            }
            messages.append(WireBytes.commit(commit, end: commit + 10))
            transactions.append((commit + 10, messages))
            lsn = commit + UInt64.random(in: 10...99, using: &random)
        }
        self.transactions = transactions
        flushed = LSN(lsn + 100)
    }

    mutating func confirm(_ lsn: LSN) {
        if lsn > confirmed { confirmations.append(lsn) }
    }

    /// Forgets confirmations that were not on disk yet.
    mutating func crash(_ random: inout SplitMix64) {
        confirmations.removeLast(Int.random(in: 0..<confirmations.count, using: &random))
    }

    /// What a stream from `lsn` brings.
    func messages(from lsn: LSN) -> [[UInt8]] { transactions.filter { $0.end > lsn.rawValue }.flatMap(\.messages) }
}

/// A worker in one value: what is lost when it is killed.
private struct SimulatedWorker: ~Copyable {
    enum Answer {
        case appended(Int, Refusal?)
        case opened(JournalState?)
    }

    var machine: CaptureMachine
    var encoder: TransactionEncoder
    var decoder = PGOutputDecoder()
    var stream: [[UInt8]]
    var answers: [Answer] = []
    var isReading = false
    var isOver = false

    init(_ redis: SimulatedRedis, from lsn: LSN, _ postgres: SimulatedPostgres, now: Duration) {
        var settings = CaptureMachine.Settings()
        settings.confirmDelay = redis.confirmDelay
        machine = CaptureMachine(journal: redis.journal, settings: settings, now: now)
        encoder = TransactionEncoder(
            history: 1, catalog: EncoderBench.catalog, journaled: redis.last, limits: BatchLimits(entries: 4))
        stream = postgres.messages(from: lsn)
    }

    mutating func act(
        _ redis: inout SimulatedRedis, _ postgres: inout SimulatedPostgres, now: Duration,
        _ random: inout SplitMix64
    ) {
        while let action = machine.nextAction(now: now) {
            switch action {
            case .read: isReading = true
            case .open: answers.append(.opened(redis.isWritable ? redis.journal : nil))
            case .append(let submission):
                answers.append(.appended(submission.number, redis.append(submission.batch, now: now, &random)))
            case .report(_, let confirmed): postgres.confirm(confirmed)
            case .restart: isOver = true
            case .stop(let stop):
                Issue.record("stopped: \(stop.reason)")
                isOver = true
            }
        }
    }

    mutating func read(_ postgres: SimulatedPostgres, _ random: inout SplitMix64) throws {
        guard isReading else { return }
        isReading = false
        machine.readAnswered()
        for _ in 0..<min(stream.count, Int.random(in: 1...8, using: &random)) {
            let bytes = stream.removeFirst()
            let message = try decoder.decode(bytes.span.bytes, at: 0..<bytes.count)
            try encoder.encode(message, columns: decoder.columns, bytes: bytes.span.bytes, lsn: .zero)
            for batch in encoder.takeBatches(isCaughtUp: false) { machine.encoded(batch) }
        }
        for batch in encoder.takeBatches(isCaughtUp: true) { machine.encoded(batch) }
        if encoder.isIdle { machine.idle(at: stream.isEmpty ? postgres.flushed : encoder.completed) }
    }

    mutating func deliver(now: Duration) {
        guard !answers.isEmpty else { return }
        switch answers.removeFirst() {
        case .appended(let number, nil): machine.appended(number, now: now)
        case .appended(let number, let refusal?): machine.refused(number, refusal, now: now)
        case .opened(let state?): machine.opened(state, now: now)
        case .opened(nil): machine.refused(.unavailable("away"), now: now)
        }
    }
}

@Suite("Capture against crashing servers and workers, by seed")
struct CaptureSimulationTests {
    @Test("whatever happens, the journal is exactly the committed transactions", arguments: 0..<60)
    func exactlyOnce(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        var postgres = SimulatedPostgres(&random)
        let expected = try Self.entries(of: postgres)
        var redis = SimulatedRedis(
            position: try #require(Position(history: 1, lsn: 50)), isDurable: seed % 2 == 1)
        var now = Duration.zero
        var worker = SimulatedWorker(redis, from: LSN(50), postgres, now: now)
        for step in 0..<20_000 {
            let isCalm = step > 600  // safety before, liveness after
            worker.act(&redis, &postgres, now: now, &random)
            switch Int.random(in: 0..<30, using: &random) {
            case 0 where !isCalm: redis.crash(now: now, &random)
            case 1 where !isCalm:
                postgres.crash(&random)
                worker.isOver = true
            case 2 where !isCalm: worker.isOver = true
            case 3...4 where !isCalm: redis.isWritable.toggle()
            case 5...12: now += .milliseconds(Int.random(in: 1...400, using: &random))
            case 13...20: try worker.read(postgres, &random)
            default: worker.deliver(now: now)
            }
            if isCalm { redis.isWritable = true }
            let isRight =
                redis.state.ids.last == expected.prefix(redis.state.ids.count).last
                && postgres.confirmed.rawValue <= redis.state.position?.lsn ?? 0
            guard isRight, worker.isOver || step % 50 == 0 ? expected.starts(with: redis.state.ids) : true else {
                Issue.record("the journal is wrong, or too much confirmed, seed \(seed)")
                return
            }
            if worker.isOver {
                guard case .resume(let lsn) = CaptureStart(Self.found(redis, postgres)) else {
                    Issue.record("cannot resume, seed \(seed)")
                    return
                }
                worker = SimulatedWorker(redis, from: lsn, postgres, now: now)
            }
            if isCalm, redis.state.ids.count == expected.count, postgres.confirmed == postgres.flushed { return }
        }
        Issue.record("no progress after calm, seed \(seed)")
    }

    /// What one undisturbed worker makes of it all.
    private static func entries(of postgres: SimulatedPostgres) throws -> [EntryID] {
        var bench = EncoderBench()
        for message in postgres.messages(from: .zero) { try bench.feed(message, isCaughtUp: false) }
        try bench.feed()
        var ids: [EntryID] = []
        for batch in bench.batches { try batch.entries?.forEachEntry { ids.append($0.id) } }
        return ids
    }

    private static func found(_ redis: SimulatedRedis, _ postgres: SimulatedPostgres) -> CaptureFound {
        CaptureFound(
            region: "r", publicationName: "p", slotName: "s", isInRecovery: false, walLevel: "logical", systemID: "1",
            timeline: 1, database: "d", flushed: postgres.flushed, hasHistoryTable: true,
            history: .init(number: 1, systemID: "1", timeline: 1, captureRegion: "r"), tables: [],
            publication: .init(publishes: ["insert", "update", "delete", "truncate"], tables: []),
            slot: .init(plugin: "pgoutput", database: "d", confirmed: postgres.confirmed), journal: redis.journal)
    }
}
