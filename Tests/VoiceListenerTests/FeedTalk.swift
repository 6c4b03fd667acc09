import Journal
import NIOCore
import Projection
import RESP

@testable import VoiceListener

/// A feed's machine without a feed: what it is told, and what it wants done, a line each.
struct FeedTalk {
    var machine: FeedMachine<String>
    /// The first reader and the first who waits, where a test notes them.
    var reader = 0
    var waiter = 0
    /// What operators were told.
    var reports: [FeedStanding] = []

    init(_ change: (inout FeedMachine<String>.Settings) -> Void = { _ in }) {
        var settings = FeedMachine<String>.Settings()
        change(&settings)
        machine = FeedMachine(settings: settings)
    }

    /// The journal of tenant 1 that is called `name`.
    static func journal(_ name: String) -> JournalName { .voice(tenant: "1", origin: name) }

    /// A batch behind `previous`; each ID has one field.
    static func batch(_ name: String, behind previous: EntryID, _ ids: [EntryID]) -> JournalRead? {
        var builder = EntryBatchBuilder(previous: previous)
        for id in ids {
            builder.append(id: id, fields: 1) { strings in
                strings.append("n")
                strings.append("\(id.first)")
            }
        }
        return builder.batch().map { JournalRead(journal(name), $0) }
    }

    /// A batch of so many large entries.
    static func large(_ name: String, behind previous: UInt64, _ count: UInt64, bytes: Int) -> JournalRead? {
        var builder = EntryBatchBuilder(previous: EntryID(first: previous, second: 0))
        for id in previous + 1...previous + count {
            builder.append(id: EntryID(first: id, second: 0), fields: 1) { strings in
                strings.append("n")
                strings.append(String(repeating: "x", count: bytes))
            }
        }
        return builder.batch().map { JournalRead(journal(name), $0) }
    }

    /// `reads` are streams and the IDs behind which entries are wanted: `eu 5`.
    @discardableResult
    mutating func ask(
        _ client: String, _ reads: String..., limit: Int = 100, until deadline: Duration? = nil
    ) -> Int {
        let streams = reads.map { read in
            let words = read.split(separator: " ").map(String.init)
            return FeedWait.Stream(words[0], Self.journal(words[0]), behind: EntryID(read: words[1]) ?? .zero)
        }
        let wait = FeedWait(streams: streams, purpose: .entries(limit: limit), deadline: deadline)
        return machine.asked(wait, by: client)
    }

    @discardableResult
    mutating func join(_ client: String, _ group: String, _ names: String..., until deadline: Duration? = nil) -> Int {
        let streams = names.map { FeedWait.Stream($0, Self.journal($0)) }
        return machine.asked(FeedWait(streams: streams, purpose: .group(group), deadline: deadline), by: client)
    }

    @discardableResult
    mutating func watch(_ client: String, _ number: Int64, _ streams: String...) -> Int {
        let streams = streams.map { FeedWait.Stream($0, Self.journal($0)) }
        let wait = FeedWait(streams: streams, purpose: .watch(number: number), deadline: .seconds(5))
        return machine.asked(wait, by: client)
    }

    /// Looks at what is to be looked at, and finds these facts; nothing where there are none.
    @discardableResult
    mutating func look(_ facts: [String: StreamFacts] = [:], at now: Duration = .zero) -> [String] {
        let journals = machine.takeLooks(at: now).map(\.journal)
        machine.looked(journals.map { ($0, StreamLook.facts(facts[$0.origin] ?? StreamFacts())) })
        return journals.map(\.origin)
    }

    /// Looks, and finds Redis away.
    mutating func lookInVain(at now: Duration = .zero) {
        machine.looked(machine.takeLooks(at: now).map { ($0.journal, StreamLook.unreachable) })
    }

    /// The reader has read these entries of a stream.
    mutating func read(
        _ name: String, behind previous: UInt64, _ ids: UInt64..., by reader: Int? = nil, at now: Duration = .zero
    ) {
        let read = Self.batch(
            name, behind: EntryID(first: previous, second: 0), ids.map { EntryID(first: $0, second: 0) })
        machine.read(Self.found([read]), by: reader ?? self.reader, at: now)
    }

    /// What a reader finds that reads these batches.
    static func found(_ reads: [JournalRead?]) -> [FeedRead] {
        reads.compactMap { read in read.flatMap { try? FeedRead($0) } }
    }

    /// The reader of `eu` cannot read, and looked at then it ends with `last` as before.
    mutating func refuse(_ failure: StoreFailure, at now: Duration, last: UInt64 = 5) {
        let reader = machine.readers.keys.first ?? 0
        _ = machine.wanted(by: reader)
        machine.readFailed(by: reader, failure, at: now)
        look(["eu": StreamFacts(last)], at: now + .milliseconds(50))
    }

    /// What a reader is to read: `eu 5-0`.
    mutating func cursors(_ reader: Int) -> [String]? {
        machine.wanted(by: reader)?.cursors.map { "\($0.journal.origin) \($0.last)" }.sorted()
    }

    /// What is wanted since this was asked last; but for looks, which are wanted all the time.
    mutating func wanted() -> [String] {
        let actions = machine.takeActions()
        for case .report(let standing) in actions { reports.append(standing) }
        return actions.compactMap { Self.text($0) }
    }

    private static func text(_ action: FeedMachine<String>.Action) -> String? {
        switch action {
        case .answer(let client, let reply): return "\(client): \(text(reply))"
        case .read(let waiter, let client, let wait):
            let streams = wait.streams.map { "\($0.name) \($0.after)" }
            return "read \(waiter) for \(client): \(streams.joined(separator: ", "))"
        case .push(let clients, let watch, let region, let chunk):
            let news = chunk.map { $0.parts.map { "\($0.id)" }.joined(separator: " ") } ?? "STALE"
            return "push \(clients.joined(separator: " ")): \(watch) \(region) \(news)"
        case .start(let reader): return "start \(reader)"
        case .interrupt(let reader): return "interrupt \(reader)"
        case .look, .report: return nil
        }
    }

    /// The wire form on one line.
    static func text(_ reply: Reply) -> String {
        var buffer = ByteBuffer()
        ReplyEncoder(version: .three).encode(reply, into: &buffer)
        return String(buffer: buffer).split(separator: "\r\n").joined(separator: " ")
    }
}

extension StreamFacts {
    /// A journal that ends with `generated`.
    init(_ generated: UInt64, floor: UInt64 = 0, birth: String? = "b", first: UInt64? = nil) {
        self.init()
        self.birth = birth
        self.floor = EntryID(first: floor, second: 0)
        self.generated = EntryID(first: generated, second: 0)
        self.first = first.map { EntryID(first: $0, second: 0) }
    }
}
