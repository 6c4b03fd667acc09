import Journal
import NIOCore
import Projection
import RESP
import Testing
import Traffic

@testable import VoiceListener

/// Readers of three journals, writers, a Redis that goes away or refuses, all in one thread from a seed: whoever reads on behind what
/// it got gets every entry, once and in order.
@Suite("Feed of the voice port, by seed") struct FeedSimulationTests {
    @Test("nobody misses an entry or gets one twice", arguments: 0..<UInt64(200))
    func complete(seed: UInt64) {
        var world = FeedWorld(seed: seed)
        for _ in 0..<400 { world.step() }
        world.calm()
        for (name, entries) in world.entries {
            for (index, client) in world.clients.enumerated() where client.wants.contains(name) {
                #expect(client.got[name] ?? [] == entries, "seed \(seed), client \(index), \(name)")
            }
        }
        #expect(world.machine.waiters.count == world.clients.count, "seed \(seed)")
    }
}

private struct FeedWorld {
    struct Client {
        let wants: [String]
        var got: [String: [UInt64]] = [:]
        var waiter: Int?
    }

    private static let names = ["eu", "us", "ap"]

    var machine: FeedMachine<Int>
    var entries: [String: [UInt64]] = [:]
    var clients: [Client]
    private var random: SplitMix64
    private var isAway = false
    /// Whether it may be looked at, and not read.
    private var isRefusing = false
    private var now = Duration.zero
    private var lastID: UInt64 = 0
    /// What is on its way from Redis.
    private var looks: [(JournalName, StreamLook)]?
    private var reads: [(waiter: Int, client: Int, wait: FeedWait)] = []
    private var readers: [Int: [JournalCursor]] = [:]

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var settings = FeedMachine<Int>.Settings()
        settings.streamsPerReader = 1 + random.below(3)
        settings.streamBytes = random.chance(percent: 50) ? 600 : 100_000
        settings.longestRead = .seconds(10)
        machine = FeedMachine(settings: settings)
        clients = (0..<4).map { _ in
            let wants = Self.names.filter { _ in random.chance(percent: 60) }
            return Client(wants: wants.isEmpty ? ["eu"] : wants)
        }
        self.random = random
    }

    mutating func step() {
        now += .milliseconds(random.below(300))
        switch random.below(9) {
        case 0, 1: write()
        case 2: ask(random.below(clients.count))
        case 3: look()
        case 4: answerLook()
        case 5: answerRead()
        case 6: wait(for: random.below(4))
        case 7: answerReader()
        default:
            if random.chance(percent: 15) { isAway.toggle() }
            if random.chance(percent: 10) { isRefusing.toggle() }
            machine.reached(now)
        }
        act()
    }

    /// Redis is there, and everything is done that is to be done.
    mutating func calm() {
        (isAway, isRefusing) = (false, false)
        for _ in 0..<60 {
            now += .seconds(2)
            for index in clients.indices { ask(index) }
            look()
            answerLook()
            act()
            while !reads.isEmpty { answerRead() }
            for _ in machine.readers { wait(for: 0) }
            for reader in machine.readers.keys.sorted() where readers[reader] == nil {
                readers[reader] = machine.wanted(by: reader)?.cursors
            }
            while !readers.isEmpty { answerReader() }
            act()
        }
        for index in clients.indices { ask(index) }
        act()
    }

    private mutating func write() {
        guard let name = random.pick(Self.names) else { return }
        lastID += 1
        entries[name, default: []].append(lastID)
    }

    private mutating func ask(_ index: Int) {
        guard clients[index].waiter == nil else { return }
        let streams = clients[index].wants.map { name in
            FeedWait.Stream(
                name, FeedTalk.journal(name), behind: EntryID(first: clients[index].got[name]?.last ?? 0, second: 0))
        }
        let limit = random.chance(percent: 30) ? 1 : 100
        let deadline = random.chance(percent: 50) ? now + .milliseconds(random.below(500)) : nil
        // The answer may be there before the number is.
        clients[index].waiter = -1
        let wait = FeedWait(streams: streams, purpose: .entries(limit: limit), deadline: deadline)
        let id = machine.asked(wait, by: index)
        if machine.waiters[id] != nil { clients[index].waiter = id }
        act()
    }

    private mutating func look() {
        guard looks == nil else { return }
        let journals = machine.takeLooks(at: now)
        guard !journals.isEmpty else { return }
        looks = journals.map { journal -> (JournalName, StreamLook) in
            guard !isAway else { return (journal, StreamLook.unreachable) }
            return (journal, StreamLook.facts(StreamFacts(entries[journal.origin]?.last ?? 0)))
        }
    }

    private mutating func answerLook() {
        guard let found = looks else { return }
        looks = nil
        machine.looked(found.map { ($0.0, $0.1) })
        act()
    }

    private mutating func answerRead() {
        guard !reads.isEmpty else { return }
        let read = reads.remove(at: random.below(reads.count))
        guard !isAway else {
            machine.foundNoAnswer(for: read.waiter)
            return act()
        }
        guard !isRefusing else {
            machine.found(.unavailable, for: read.waiter)
            return act()
        }
        guard case .entries(let limit) = read.wait.purpose else { return }
        var pairs: [Reply.Pair] = []
        for stream in read.wait.streams {
            let all = (entries[stream.name] ?? []).filter { $0 > stream.after.first }.prefix(limit)
            guard !all.isEmpty else { continue }
            let ids = all.map { EntryID(first: $0, second: 0) }
            guard let batch = FeedTalk.batch(stream.name, behind: stream.after, ids)?.batch,
                let chunk = try? EntryChunk(batch)
            else { continue }
            pairs.append(Reply.Pair(.text(stream.name), .elements(chunk.wire, count: chunk.count)))
        }
        if pairs.isEmpty {
            machine.foundNothing(for: read.waiter)
        } else {
            machine.found(.pairs(pairs), for: read.waiter)
        }
        act()
    }

    /// A reader asks what to read.
    private mutating func wait(for place: Int) {
        let idle = machine.readers.keys.sorted().filter { readers[$0] == nil }
        guard !idle.isEmpty else { return }
        let reader = idle[min(place, idle.count - 1)]
        if let wanted = machine.wanted(by: reader) { readers[reader] = wanted.cursors }
    }

    private mutating func answerReader() {
        guard let reader = random.pick(readers.keys.sorted()), let cursors = readers.removeValue(forKey: reader) else {
            return
        }
        guard !isAway else {
            machine.readFailed(by: reader, .unreachable("away"), at: now)
            return act()
        }
        guard !isRefusing else {
            machine.readFailed(by: reader, .server(code: "NOPERM", message: "no"), at: now)
            return act()
        }
        let found = cursors.compactMap { cursor in
            let ids = (entries[cursor.journal.origin] ?? []).filter { $0 > cursor.last.first }
            return FeedTalk.batch(cursor.journal.origin, behind: cursor.last, ids.map { EntryID(first: $0, second: 0) })
        }
        machine.read(FeedTalk.found(found), by: reader, at: now)
        act()
    }

    private mutating func act() {
        for action in machine.takeActions() {
            switch action {
            case .answer(let client, let reply):
                clients[client].waiter = nil
                take(reply, by: client)
            case .read(let waiter, let client, let wait): reads.append((waiter, client, wait))
            case .push, .start, .interrupt, .look, .report: break
            }
        }
    }

    /// Reads the IDs out of an answer: its wire form has an ID behind each entry's head.
    private mutating func take(_ reply: Reply, by client: Int) {
        guard case .pairs(let pairs) = reply else { return }
        for pair in pairs {
            guard case .text(let name) = pair.key, case .elements(let wire, let count) = pair.value else { continue }
            let lines = String(buffer: wire).split(separator: "\r\n")
            let ids = lines.filter { $0.hasSuffix("-0") }.compactMap { EntryID($0)?.first }
            #expect(ids.count == count)
            clients[client].got[name, default: []] += ids
        }
    }
}
