internal import Capture
internal import Journal
internal import PGOutput
internal import Projection
internal import RESP

/// A snapshot while it lasts: an `AppendWindow` and a `SnapshotEncoder`, in the order of `SnapshotLoop`.
struct SnapshotRun {
    private enum State {
        /// Whether the cache holds anything is asked. → announcing
        case beginning
        /// The journal is told that a snapshot comes. → settling, copying
        case announcing(Position?)
        /// The projection folds what stands before the announcement. → copying
        case settling(Position, since: Int)
        /// PostgreSQL makes the slot and reads. → comparing, ending
        case copying(isDiff: Bool)
        /// → ending
        case comparing(SimulatedPostgres.Snapshot)
        /// `end-snapshot` is on its way.
        case ending
    }

    private final class Encoding {
        var encoder: SnapshotEncoder

        init(_ encoder: consuming SnapshotEncoder) { self.encoder = encoder }
    }

    private var window: AppendWindow
    private let encoding: Encoding
    private let flushed: LSN
    private let isDiff: Bool
    private let patience: Int
    private var state: State
    /// What the state calls for was asked.
    private var isAsked = false
    /// Not before then.
    private var askAt = 0
    private var trouble: CaptureStop?

    init(
        journal: JournalState, history: UInt64, flushed: LSN, isDiff: Bool,
        settings: CaptureDriver.Settings
    ) {
        window = AppendWindow(journal: journal)
        encoding = Encoding(
            SnapshotEncoder(
                history: history, catalog: SimulatedPostgres.catalog, journaled: journal.last, limits: settings.batch))
        self.flushed = flushed
        self.isDiff = isDiff
        patience = settings.projectionPatience
        state = .beginning
        if !isDiff { announce(isDue: false) }
    }

    mutating func take(_ question: CaptureDriver.Question, _ answer: Answer, now: Int) {
        switch (question, answer) {
        case (.filled, .redis(.success(let reply))):
            announce(isDue: reply.text.flatMap { Position($0) } ?? .zero > .zero)
        case (.projected, .redis(.success(let reply))):
            projected(reply.text.flatMap { Position($0) } ?? .zero, now: now)
        case (.copied, .postgres(.snapshot(let snapshot))): copied(snapshot)
        case (.cache, .cache(let objects)): compare(with: objects)
        case (.append(let number), .redis(.success)): _ = window.appended(number)
        case (.append(let number), .redis(.failure(let failure))):
            window.refused(number, Refusal(failure), now: .milliseconds(now))
        case (.reopen, .redis(let result)):
            if let state = JournalState(result) {
                _ = window.opened(state)
            } else {
                window.refused(.unavailable("away"), now: .milliseconds(now))
            }
        case (.filled, _), (.projected, _): askAgain(now)
        default: break
        }
    }

    // MARK: Steps

    private mutating func encode(_ body: (inout SnapshotEncoder) throws(CaptureStop) -> Void) {
        do throws(CaptureStop) { try body(&encoding.encoder) } catch { trouble = error }
        for batch in encoding.encoder.takeBatches(all: true) { window.submitted(batch) }
    }

    private mutating func announce(isDue: Bool) {
        var announced: Position?
        encode { [flushed] encoder throws(CaptureStop) in
            if isDue { announced = try encoder.announceDue(at: flushed) } else { try encoder.announce(at: flushed) }
        }
        enter(.announcing(announced))
    }

    private mutating func projected(_ position: Position, now: Int) {
        guard case .settling(let announced, let since) = state else { return }
        if position >= announced { return enter(.copying(isDiff: true)) }
        if now - since > patience { return enter(.copying(isDiff: false)) }
        askAgain(now)
    }

    private mutating func askAgain(_ now: Int) {
        isAsked = false
        askAt = now + 20
    }

    private mutating func copied(_ snapshot: SimulatedPostgres.Snapshot) {
        guard case .copying(let isDiff) = state else { return }
        encode { encoder throws(CaptureStop) in
            try encoder.begin(
                isDiff ? .diff : .whole, at: snapshot.consistentPoint, time: PostgresTimestamp(microseconds: 1_000))
        }
        guard !isDiff else { return enter(.comparing(snapshot)) }
        write(snapshot.rows.keys.sorted(), of: snapshot)
    }

    /// Only what differs from the cache is written, and what it has too much is deleted.
    private mutating func compare(with objects: [ProvisioningEntry.ObjectName: [String: String]]) {
        guard case .comparing(let snapshot) = state else { return }
        let differing = snapshot.rows.filter { person, row in
            objects[person.name] != SimulatedPostgres.columns(of: person, row)
        }
        let names = Set(snapshot.rows.keys.map(\.name))
        let gone = objects.keys.filter { !names.contains($0) }.sorted { ($0.tenant, $0.key) < ($1.tenant, $1.key) }
        encode { encoder throws(CaptureStop) in encoder.encode(gone: gone) }
        write(differing.keys.sorted(), of: snapshot)
    }

    private mutating func write(_ persons: [SimulatedPostgres.Person], of snapshot: SimulatedPostgres.Snapshot) {
        encode { encoder throws(CaptureStop) in
            if let rows = snapshot.copy(of: persons) { try encoder.encode(rows) }
            try encoder.end()
        }
        enter(.ending)
    }

    private mutating func enter(_ state: State) {
        self.state = state
        (isAsked, askAt) = (false, 0)
    }

    // MARK: Actions

    mutating func go(now: Int, _ journal: JournalName, birth: String, _ out: inout Outbox) -> RunOutcome {
        if let trouble { return .stopped(trouble) }
        if case .announcing(let announced) = state, window.isEmpty {
            enter(announced.map { .settling($0, since: now) } ?? .copying(isDiff: false))
        }
        while let action = window.nextAction(now: .milliseconds(now)) {
            switch action {
            case .open: out.ask(.local, JournalFunctions.open(journal, birth: birth), .capture(.reopen))
            case .append(let submission):
                if let command = submission.batch.command(to: journal, birth: birth) {
                    out.ask(.local, command, .capture(.append(submission.number)))
                }
            case .restart: return .over
            case .stop(let stop): return .stopped(stop)
            }
        }
        ask(now: now, &out)
        if case .ending = state, window.isEmpty { return .over }
        let deadline = window.deadline.map { Int($0 / .milliseconds(1)) + 1 }
        return .goesOn(until: isAsked ? deadline : min(deadline ?? .max, askAt))
    }

    /// Asks what the state calls for, once.
    private mutating func ask(now: Int, _ out: inout Outbox) {
        guard !isAsked, now >= askAt else { return }
        isAsked = true
        let projected = RedisCommand("HGET", ProjectionKeys.trailing, "provisioning")
        switch state {
        case .beginning: out.ask(.local, projected, .capture(.filled))
        case .settling: out.ask(.local, projected, .capture(.projected))
        case .copying: out.sends.append((.database, .postgres(.snapshot), .capture(.copied)))
        case .comparing: out.sends.append((.local, .cache, .capture(.cache)))
        case .announcing, .ending: break
        }
    }
}

extension SimulatedPostgres.Snapshot {
    /// Rows as COPY … TO STDOUT prints them; nil for none.
    fileprivate func copy(of persons: [SimulatedPostgres.Person]) -> SnapshotRows? {
        guard !persons.isEmpty else { return nil }
        var bytes: [UInt8] = []
        var ranges: [Range<Int>] = []
        for person in persons {
            let start = bytes.count
            let row = SimulatedPostgres.columns(of: person, rows[person] ?? [:])
            bytes += SimulatedPostgres.columns.map { row[$0] ?? "\\N" }.joined(separator: "\t").utf8
            bytes.append(UInt8(ascii: "\n"))
            ranges.append(start..<bytes.count)
        }
        return SnapshotRows(table: 0, columns: SimulatedPostgres.columns, bytes: bytes, rows: ranges)
    }
}
