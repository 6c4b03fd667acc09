internal import Capture
internal import Journal
internal import PGOutput
internal import Projection
internal import RESP

/// Drives capture as `Capture` and `CaptureStream` do: looks at both sides, decides by `CaptureStart`, does what that says
/// and looks again whenever something ends.
struct CaptureDriver: Driver {
    enum Question {
        case open
        case look
        case known(CaptureFound)
        /// PostgreSQL has done something after which all is looked at again.
        case changed
        case streaming
        case received
        case reported
        /// A batch of the window with this number.
        case append(Int)
        /// Where the journal ends, for the window.
        case reopen
        case newestHistory
        // Of a snapshot.
        case filled
        case projected
        case copied
        case cache
    }

    enum Work {
        case none
        case stream(StreamRun)
        case snapshot(SnapshotRun)
    }

    let own: Server
    let journal: JournalName
    let settings: Settings
    private var birth = ""
    private var history: UInt64 = 0
    private var work = Work.none
    /// Tells an alarm of this work from a late one.
    private var session = 0
    private var alarmAt = Int.max
    private var pause = 50
    /// It waits before it connects again.
    private var isDown = false
    /// Since when the journal lacks its end.
    private var behindSince: Int?
    private var marks: Int
    /// What was decided last.
    private var decision: CaptureStart?

    struct Settings {
        var batch = BatchLimits()
        var machine = CaptureMachine.Settings()
        /// ms
        var healPatience = 0
        var projectionPatience = 5_000
    }

    init(own: Server, journal: JournalName, settings: Settings, marks: Int) {
        self.own = own
        self.journal = journal
        self.settings = settings
        self.marks = marks
    }

    /// It streams, and the journal and PostgreSQL have all that was read.
    func isAtRest(at end: UInt64) -> Bool {
        if case .stream(let run) = work {
            run.machine.isDrained && run.machine.confirmed.rawValue >= end
        } else {
            false
        }
    }

    /// For people.
    var words: String {
        switch work {
        case .none: "does nothing\(isDown ? ", is down" : ""): \(decision.map { "\($0)" } ?? "")"
        case .stream(let run): "streams, recorded \(run.machine.recorded), confirmed \(run.machine.confirmed)"
        case .snapshot: "makes a snapshot"
        }
    }

    mutating func take(_ fact: Fact, now: Int, _ out: inout Outbox) {
        switch fact {
        case .started, .woke(.connect):
            isDown = false
            out.connects.append((.local, own))
        case .connected(.local, _): out.connects.append((.database, .postgres))
        case .connected(.database, _): look(&out)
        case .connected(.stream, _):
            guard case .stream(let run) = work else { return }
            out.sends.append((.stream, .postgres(.stream(from: run.start)), .capture(.streaming)))
        case .connected: break
        case .lost: fail(now: now, &out)
        case .woke(.again(session: session)): look(&out)
        case .woke(.watch(session: session)): askForTakeover(&out)
        case .woke(.machine(session: session)):
            alarmAt = .max
            go(now: now, &out)
        case .woke: break
        case .answered(.capture(let question), let answer): answered(question, answer, now: now, &out)
        case .answered: break
        }
    }

    // MARK: Looking and deciding

    private mutating func look(_ out: inout Outbox) {
        end(&out)
        marks += 1
        out.ask(.local, JournalFunctions.open(journal, birth: "\(journal.origin)-c\(marks)"), .capture(.open))
    }

    /// Whatever is under way is over.
    private mutating func end(_ out: inout Outbox) {
        if case .stream = work { out.closes.append(.stream) }
        work = .none
        session += 1
        alarmAt = .max
    }

    private mutating func fail(now: Int, _ out: inout Outbox) {
        guard !isDown else { return }
        isDown = true
        end(&out)
        out.closes += [.local, .database]
        out.alarms.append((pause, .connect))
        pause = min(2 * pause, 1_000)
    }

    private mutating func again(in delay: Int, _ out: inout Outbox) {
        end(&out)
        out.alarms.append((delay, .again(session: session)))
    }

    private mutating func answered(_ question: Question, _ answer: Answer, now: Int, _ out: inout Outbox) {
        if case .postgres(.failed) = answer { return fail(now: now, &out) }
        if case .redis(.failure(let failure)) = answer, failure.isElsewhere { return fail(now: now, &out) }
        switch (question, answer) {
        case (.open, .redis(let result)):
            guard let state = JournalState(result) else { return fail(now: now, &out) }
            birth = state.birth
            out.sends.append((.database, .postgres(.look(state)), .capture(.look)))
        case (.look, .postgres(.found(let found))):
            out.ask(.local, Self.newestHistory, .capture(.known(found)))
        case (.known(var found), .redis(let result)):
            found.knownHistory = Self.history(in: result)
            decide(found, now: now, &out)
        case (.changed, _): look(&out)
        case (.streaming, _):
            pause = 50
            out.alarms.append((1_000, .watch(session: session)))
            go(now: now, &out)
        case (.newestHistory, .redis(let result)):
            guard case .stream = work else { return }
            if Self.history(in: result) > history { return again(in: 50, &out) }
            out.alarms.append((1_000, .watch(session: session)))
        default: worked(question, answer, now: now, &out)
        }
    }

    private mutating func decide(_ found: CaptureFound, now: Int, _ out: inout Outbox) {
        let decision = CaptureStart(found)
        self.decision = decision
        switch decision {
        case .beginHistory(let number, let newest):
            out.sends.append((.database, .postgres(.beginHistory(number, after: newest)), .capture(.changed)))
        case .createPublication:
            out.sends.append((.database, .postgres(.createPublication), .capture(.changed)))
        case .snapshot(_, let mode):
            history = found.history?.number ?? 0
            if case .diff(let cause) = mode, cause.mayBeHealed {
                let since = behindSince ?? now
                behindSince = since
                guard since + settings.healPatience <= now else { return again(in: 100, &out) }
            }
            behindSince = nil
            let isDiff = if case .diff = mode { true } else { false }
            work = .snapshot(
                SnapshotRun(
                    journal: found.journal, history: history, flushed: found.flushed, isDiff: isDiff,
                    settings: settings))
            go(now: now, &out)
        case .resume(let lsn):
            behindSince = nil
            history = found.history?.number ?? 0
            work = .stream(
                StreamRun(from: lsn, journal: found.journal, history: history, settings: settings, now: now))
            out.connects.append((.stream, .postgres))
        case .wait:
            again(in: 300, &out)
        case .stop: again(in: 3_000, &out)
        }
    }

    // MARK: Working

    private mutating func worked(_ question: Question, _ answer: Answer, now: Int, _ out: inout Outbox) {
        switch work {
        case .none: return
        case .stream(var run):
            work = .none  // one owner
            run.take(question, answer, now: now)
            work = .stream(run)
        case .snapshot(var run):
            work = .none
            run.take(question, answer, now: now)
            work = .snapshot(run)
        }
        go(now: now, &out)
    }

    private mutating func go(now: Int, _ out: inout Outbox) {
        let outcome: RunOutcome
        switch work {
        case .none: return
        case .stream(var run):
            work = .none
            outcome = run.go(now: now, journal, birth: birth, &out)
            work = .stream(run)
        case .snapshot(var run):
            work = .none
            outcome = run.go(now: now, journal, birth: birth, &out)
            work = .snapshot(run)
        }
        switch outcome {
        case .goesOn(let deadline):
            guard let deadline, deadline < alarmAt else { return }
            alarmAt = deadline
            out.alarms.append((max(1, deadline - now), .machine(session: session)))
        case .over: look(&out)
        case .stopped: again(in: 3_000, &out)
        }
    }

    private mutating func askForTakeover(_ out: inout Outbox) {
        out.ask(.local, Self.newestHistory, .capture(.newestHistory))
    }

    private static let newestHistory = RedisCommand("HMGET", ProjectionKeys.trailing, "provisioning")

    private static func history(in result: Result<StoreReply, StoreFailure>) -> UInt64 {
        let text = (try? result.get())?.elements.first?.text
        return text.flatMap { Position($0) }?.history ?? 0
    }
}

/// What became of a stream or a snapshot.
enum RunOutcome {
    /// Until the next fact, or this time.
    case goesOn(until: Int?)
    /// All is to be looked at again.
    case over
    case stopped(CaptureStop)
}

extension JournalState {
    /// What `rsj3_open` answers; nil where the journal cannot be written, or the server did not say.
    init?(_ result: Result<StoreReply, StoreFailure>) {
        guard let parts = try? result.get().elements, parts.count == 12, let birth = parts[0].text,
            parts[4] == .null, parts[6].id ?? .zero == parts[1].id ?? .zero
        else { return nil }
        self.init(birth: birth, last: parts[6].id ?? .zero, position: parts[5].text.flatMap { Position($0) })
    }
}
