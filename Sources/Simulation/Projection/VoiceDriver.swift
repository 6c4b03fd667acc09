internal import Journal
internal import Projection
internal import RESP

/// Drives a `VoiceFold` as `VoiceProjection` does for one group of tenants.
struct VoiceDriver: Driver {
    enum Question {
        case cursors
        case read
        case record(VoiceFold.Key)
        case call
        /// The server's cursor of a journal that the fold stands behind.
        case compare(JournalCursor)
    }

    private let region: String
    private let own: Server
    private let journals: [JournalName]
    private let readEntries: Int
    private var fold: VoiceFold
    private var session = 0
    private var attempt = 0
    /// It waits before it connects again.
    private var isDown = false
    /// Answers that are awaited before the next step.
    private var awaited = 0
    /// What the server answered where the journals' cursors were asked.
    private var cursors: [StoreReply] = []

    init(region: String, own: Server, journals: [JournalName], readEntries: Int) {
        self.region = region
        self.own = own
        self.journals = journals
        self.readEntries = readEntries
        fold = VoiceFold(region: region, recordTime: .seconds(600))
    }

    mutating func take(_ fact: Fact, now: Int, _ out: inout Outbox) {
        switch fact {
        case .started, .woke(.connect):
            isDown = false
            out.connects.append((.local, own))
        case .connected(.local, _): out.connects.append((.reader, own))
        case .connected: begin(&out)
        case .lost, .woke: fail(&out)
        case .answered(.voice(let question), let answer): answered(question, answer, &out)
        case .answered: break
        }
    }

    private mutating func begin(_ out: inout Outbox) {
        session += 1
        fold = VoiceFold(region: region, recordTime: .seconds(600))
        cursors = []
        awaited = journals.count
        for journal in journals {
            out.ask(
                .local,
                RedisCommand(
                    "HMGET", ProjectionKeys.cursors(tenant: journal.tenant),
                    ProjectionKeys.voiceCursor(origin: journal.origin), ProjectionKeys.voiceCut(origin: journal.origin)),
                .voice(.cursors))
        }
    }

    /// The session ends; the next one begins at the server's cursors.
    private mutating func fail(_ out: inout Outbox) {
        guard !isDown else { return }
        isDown = true
        out.closes += [.local, .reader]
        out.alarms.append((min(500, 10 << min(attempt, 10)), .connect))
        attempt += 1
    }

    private mutating func answered(_ question: Question, _ answer: Answer, _ out: inout Outbox) {
        if case .read(let reads, _) = answer { return read(reads, &out) }
        guard case .redis(.success(let reply)) = answer else { return fail(&out) }
        awaited -= 1
        switch question {
        case .cursors:
            cursors.append(reply)
            guard awaited == 0 else { return }
            for (journal, reply) in zip(journals, cursors) {
                let held = reply.elements.map(\.text)
                fold.follow(
                    journal, behind: held.first.flatMap { $0 }.flatMap { EntryID($0) } ?? .zero,
                    cut: held.last.flatMap { $0 }.flatMap { JournalCut($0) }?.last)
            }
            attempt = 0
            next(&out)
        case .record(let key):
            let words = reply.elements.compactMap(\.text)
            fold.loaded(key, stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) })
            if awaited == 0 { next(&out) }
        case .call: if awaited == 0 { next(&out) }
        case .compare(let cursor):
            guard reply.text.flatMap({ EntryID($0) }) ?? .zero == cursor.last else { return fail(&out) }
            if awaited == 0 { next(&out) }
        case .read: break
        }
    }

    private mutating func read(_ reads: [JournalRead], _ out: inout Outbox) {
        guard !reads.isEmpty else {
            let wanted = fold.wanted.sorted { $0.journal < $1.journal }
            awaited = wanted.count
            for cursor in wanted {
                out.ask(
                    .local,
                    RedisCommand(
                        "HGET", ProjectionKeys.cursors(tenant: cursor.journal.tenant),
                        ProjectionKeys.voiceCursor(origin: cursor.journal.origin)), .voice(.compare(cursor)))
            }
            return
        }
        for read in reads {
            do { try fold.read(read) } catch { return fail(&out) }
        }
        next(&out)
    }

    /// Loads, calls or reads on, whatever is due.
    private mutating func next(_ out: inout Outbox) {
        let missing = fold.missing.sorted { $0.text < $1.text }
        awaited = missing.count
        for key in missing { out.ask(.local, RedisCommand("HGETALL", key.text), .voice(.record(key))) }
        guard missing.isEmpty else { return }
        let calls = fold.nextCalls().sorted { $0.journal < $1.journal }
        awaited = calls.count
        for call in calls { out.ask(.local, call.command, .voice(.call)) }
        guard calls.isEmpty else { return }
        let wanted = fold.wanted.sorted { $0.journal < $1.journal }
        out.sends.append((.reader, .read(wanted, count: readEntries, mark: nil, waits: true), .voice(.read)))
    }
}
