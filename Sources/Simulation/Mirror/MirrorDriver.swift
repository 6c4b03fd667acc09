internal import Journal
internal import Mirror
internal import Projection
internal import RESP

/// Drives the machines of one link as `MirrorLink` does: aligns, reads, appends, mends, looks around once a second. A
/// value, since everything that it waits for comes as an answer.
struct MirrorDriver: Driver {
    /// What an answer is for.
    enum Question {
        /// The mark of the control journal, by which a session knows its server again.
        case mark
        /// Entries that have left the journal.
        case born(JournalName)
        case open(JournalName, trimmed: UInt64)
        case lineage(JournalName, CopyState, trimmed: UInt64)
        case read(JournalName, behind: EntryID)
        case passed(JournalName, behind: EntryID)
        case append(JournalName, MirrorMachine.Batch, count: Int)
        case repair(JournalName)
        case look([JournalName])
        case knock(Knock)
        /// What the peer has left.
        case heard
        case nothing
    }

    /// A journal of the link; see `MirroredJournal`.
    struct Shipped {
        let name: JournalName
        var machine: MirrorMachine
        var birth = ""
        var wasAligned = false
        var wasFenced = false
        var wantedRead: EntryID?
        /// The count is asked before the next read.
        var isCounting = false
        var isUncounted = true
        var nextCount = 0
        var batch: EntryBatch?
        var copied: UInt64 = 0
        var missed: UInt64 = 0
        var passed: UInt64 = 0
        var repair: CopyRepair?
        var piece: EntryBatch?
    }

    let region: String
    let peer: String
    let own: Server
    let remote: Server
    var journals: [Shipped]
    /// Entries in one read at most.
    let readEntries: Int
    var session = 0
    var isUp = false
    /// It waits before it connects again.
    private var isDown = false
    /// The mark of the control journal in this session.
    var mark: String?
    var runID: Int?
    var attempt = 0
    /// Journals that wait to be mended, the first being mended.
    var repairs: [JournalName] = []
    var turn = 0
    var nextReview = 0
    var isReviewDue = false
    /// What is heard of the peer; nil where nobody knocks.
    var hearing: LinkHearing?
    private var hearingTurn = 0
    /// Draws marks that were never drawn before.
    var marks: Int
    /// Journals that wait for an operator, and why.
    var stops: [JournalName: Divergence] = [:]

    init(
        region: String, peer: String, own: Server, remote: Server, journals: [JournalName], windowBytes: Int,
        readEntries: Int, marks: Int, hearing: LinkHearing?
    ) {
        self.region = region
        self.peer = peer
        self.own = own
        self.remote = remote
        self.journals = journals.map { Shipped(name: $0, machine: MirrorMachine(windowBytes: windowBytes)) }
        self.readEntries = readEntries
        self.marks = marks
        self.hearing = hearing
    }

    mutating func freshMark() -> String {
        marks += 1
        return "\(region)-\(marks)"
    }

    func index(of name: JournalName) -> Int? { journals.firstIndex { $0.name == name } }

    mutating func take(_ fact: Fact, now: Int, _ out: inout Outbox) {
        switch fact {
        case .started: out.connects.append((.local, own))
        case .connected(let channel, _): connected(channel, &out)
        case .lost: lost(&out)
        case .woke(let alarm): woke(alarm, now: now, &out)
        case .answered(.mirror(let question), let answer): answered(question, answer, now: now, &out)
        case .answered: break
        }
    }

    // MARK: Connections

    private mutating func connected(_ channel: Channel, _ out: inout Outbox) {
        switch channel {
        case .local:
            let control = JournalName.control(origin: region)
            let command = JournalFunctions.lineage(
                control, birth: freshMark(), cursor: .zero, peer: peer, copyBirth: "")
            out.ask(.local, command, .mirror(.mark))
        case .reader: out.connects.append((.peer, remote))
        case .peer:
            session += 1
            isUp = true
            attempt = 0
            for index in journals.indices { advance(index, &out) }
            out.alarms.append((0, .watch(session: session)))
            hearingTurn = 0
            hear(&out)
        case .database, .stream: break
        }
    }

    /// For people.
    var words: String {
        let states = journals.map { "\($0.name) \($0.machine.isStreaming ? "streams" : "does not stream")" }
        let cut = hearing.map { ", cut \($0.cut)" } ?? ""
        return "\(isUp ? "up" : "down")\(cut), stopped \(stops), \(states)"
    }

    /// A connection is gone, and with it the session.
    mutating func lost(_ out: inout Outbox) {
        guard !isDown else { return }
        isDown = true
        for channel in [Channel.local, .reader, .peer] { out.closes.append(channel) }
        isUp = false
        session += 1
        (nextReview, isReviewDue) = (0, false)
        repairs.removeAll()
        for index in journals.indices {
            journals[index].machine.linkLost()
            journals[index].wantedRead = nil
            journals[index].isCounting = false
            journals[index].repair = nil
            journals[index].wasFenced = false
        }
        out.alarms.append((min(500, 10 << min(attempt, 10)), .connect))
        attempt += 1
    }

    private mutating func woke(_ alarm: Alarm, now: Int, _ out: inout Outbox) {
        switch alarm {
        case .connect:
            isDown = false
            out.connects.append((.local, own))
        case .align(let name, session: session): beginAlign(name, &out)
        case .watch(session: session): watch(now: now, &out)
        case .hear(session: session): hear(&out)
        case .again(session: session): review(now: now, &out)
        default: break  // of a session that is over
        }
    }

    /// Leaves a knock at every other turn, and looks for the peer's at each.
    private mutating func hear(_ out: inout Outbox) {
        guard hearing != nil else { return }
        if hearingTurn.isMultiple(of: 2), let knock = hearing?.knock() {
            out.ask(.peer, RedisCommand("SET", knockKey(from: region), knock.text), .mirror(.knock(knock)))
        }
        hearingTurn += 1
        out.ask(.local, RedisCommand("GET", knockKey(from: peer)), .mirror(.heard))
        out.alarms.append((Int(LinkHearing.interval / .milliseconds(1)) / 2, .hear(session: session)))
    }

    // MARK: The machine's actions

    mutating func advance(_ index: Int, _ out: inout Outbox) {
        guard isUp else { return }
        while let action = journals[index].machine.nextAction() {
            let name = journals[index].name
            switch action {
            case .align(let attempt):
                out.alarms.append((attempt == 0 ? 0 : min(500, 10 << min(attempt, 10)), .align(name, session: session)))
            case .repair:
                repairs.append(name)
                if repairs.count == 1 { performRepair(name, &out) }
            case .read(let cursor):
                journals[index].wantedRead = cursor
                read(index, &out)
            case .append(let unit):
                guard let batch = journals[index].batch else { continue }
                journals[index].batch = nil
                out.ask(
                    .peer, JournalFunctions.append(batch, to: name, birth: journals[index].birth),
                    .mirror(.append(name, unit, count: batch.count)))
            case .stop(let divergence): stops[name] = divergence
            }
        }
    }

    func read(_ index: Int, _ out: inout Outbox) {
        let journal = journals[index]
        guard let cursor = journal.wantedRead, !journal.isCounting else { return }
        out.sends.append(
            (
                .reader,
                .read(
                    [JournalCursor(journal.name, behind: cursor)], count: readEntries, mark: .control(origin: region),
                    waits: true),
                .mirror(.read(journal.name, behind: cursor))
            ))
    }

    mutating func reconsider(_ index: Int, _ out: inout Outbox) {
        journals[index].machine.sourceChanged()
        journals[index].wantedRead = nil
        advance(index, &out)
    }

    mutating func resumed(_ name: JournalName) { stops[name] = nil }
}
