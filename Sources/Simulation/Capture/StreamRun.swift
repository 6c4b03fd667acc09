internal import Capture
internal import Journal
internal import PGOutput
internal import Projection
internal import RESP

/// A stream while it lasts: a `CaptureMachine` and a `TransactionEncoder`, as `CaptureStream` has them.
struct StreamRun {
    /// What cannot be copied; one owner at a time.
    private final class Encoding {
        var encoder: TransactionEncoder
        var decoder = PGOutputDecoder()

        init(_ encoder: consuming TransactionEncoder) { self.encoder = encoder }
    }

    let start: LSN
    private(set) var machine: CaptureMachine
    private let encoding: Encoding
    private var trouble: CaptureStop?

    init(from lsn: LSN, journal: JournalState, history: UInt64, settings: CaptureDriver.Settings, now: Int) {
        start = lsn
        machine = CaptureMachine(journal: journal, settings: settings.machine, now: .milliseconds(now))
        encoding = Encoding(
            TransactionEncoder(
                history: history, catalog: SimulatedPostgres.catalog, journaled: journal.last, limits: settings.batch))
    }

    mutating func take(_ question: CaptureDriver.Question, _ answer: Answer, now: Int) {
        let now = Duration.milliseconds(now)
        switch (question, answer) {
        case (.received, .postgres(.messages(let messages, let walEnd))):
            machine.readAnswered()
            do throws(CaptureStop) { try encode(messages, walEnd) } catch { trouble = error }
        case (.append(let number), .redis(.success)): machine.appended(number, now: now)
        case (.append(let number), .redis(.failure(let failure))):
            machine.refused(number, Refusal(failure), now: now)
        case (.reopen, .redis(let result)):
            if let state = JournalState(result) {
                machine.opened(state, now: now)
            } else if case .failure(let failure) = result {
                machine.refused(Refusal(failure), now: now)
            } else {
                machine.refused(.forked, now: now)
            }
        default: break
        }
    }

    private mutating func encode(_ messages: [[UInt8]], _ walEnd: LSN?) throws(CaptureStop) {
        if let walEnd { machine.received(walEnd: walEnd) }
        for bytes in messages {
            let message: PGOutputMessage
            do {
                message = try unsafe encoding.decoder.decode(bytes.span.bytes, at: 0..<bytes.count)
            } catch {
                throw .undecodable(lsn: machine.received, what: "\(error.reason)")
            }
            try unsafe encoding.encoder.encode(
                message, columns: encoding.decoder.columns, bytes: bytes.span.bytes, lsn: .zero)
            guard encoding.encoder.hasFullBatches else { continue }
            for batch in encoding.encoder.takeBatches(isCaughtUp: false) { machine.encoded(batch) }
        }
        for batch in encoding.encoder.takeBatches(isCaughtUp: walEnd != nil) { machine.encoded(batch) }
        if encoding.encoder.isIdle { machine.idle(at: max(walEnd ?? .zero, encoding.encoder.completed)) }
    }

    mutating func go(now: Int, _ journal: JournalName, birth: String, _ out: inout Outbox) -> RunOutcome {
        if let trouble { return .stopped(trouble) }
        while let action = machine.nextAction(now: .milliseconds(now)) {
            switch action {
            case .read: out.sends.append((.stream, .postgres(.receive), .capture(.received)))
            case .open: out.ask(.local, JournalFunctions.open(journal, birth: birth), .capture(.reopen))
            case .append(let submission):
                if let command = submission.batch.command(to: journal, birth: birth) {
                    out.ask(.local, command, .capture(.append(submission.number)))
                }
            case .report(_, let confirmed):
                out.sends.append((.stream, .postgres(.report(confirmed: confirmed)), .capture(.reported)))
            case .restart: return .over
            case .stop(let stop): return .stopped(stop)
            }
        }
        return .goesOn(until: Int(machine.deadline / .milliseconds(1)) + 1)
    }
}

extension CaptureBatch {
    /// The guarded write; nil for a batch of nothing.
    func command(to journal: JournalName, birth: String) -> RedisCommand? {
        if let entries { return JournalFunctions.append(entries, to: journal, birth: birth, position: position) }
        return position.map { JournalFunctions.move($0, of: journal, birth: birth, last: last) }
    }
}
