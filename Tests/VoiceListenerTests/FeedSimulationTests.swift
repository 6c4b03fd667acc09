import Journal
import NIOCore
import Projection
import RESP
import Testing
import Traffic

@testable import VoiceListener

/// Readers of three journals, writers, a Redis that goes away or refuses, all in one thread from a seed: whoever reads on
/// behind what it got gets every entry, once and in order, or is told that some are gone.
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

    @Test("nobody gets entries behind a gap without being told", arguments: 0..<UInt64(300))
    func told(seed: UInt64) {
        var world = FeedWorld(seed: seed, loses: true)
        for _ in 0..<600 { world.step() }
        world.calm()
        for (name, entries) in world.entries {
            guard let last = entries.last else { continue }
            for (index, client) in world.clients.enumerated() where client.wants.contains(name) {
                #expect(client.got[name]?.last == last, "seed \(seed), client \(index), \(name)")
            }
        }
    }
}

private struct FeedWorld {
    struct Client {
        let wants: [String]
        var got: [String: [UInt64]] = [:]
        var waiter: Int?
    }

    /// What a journal is besides its entries.
    struct Life {
        var birth = 0
        var floor: UInt64 = 0
        var generated: UInt64 = 0
    }

    private static let names = ["eu", "us", "ap"]

    var machine: FeedMachine<Int>
    var entries: [String: [UInt64]] = [:]
    /// Whether entries are trimmed, journals set back or born again, and the worker is stopped now and then.
    private let loses: Bool
    private var journals: [String: Life] = [:]
    /// When each entry was written.
    private var written: [UInt64: Duration] = [:]
    /// What was ever written behind an entry.
    private var successors: [UInt64: Set<UInt64>] = [:]
    var clients: [Client]
    private var random: SplitMix64
    private var isAway = false
    private var isCalm = false
    /// Whether it may be looked at, and not read.
    private var isRefusing = false
    private var now = Duration.zero
    private var lastID: UInt64 = 0
    /// What is on its way from Redis.
    private var looks: [(JournalName, StreamLook)]?
    private var reads: [(waiter: Int, client: Int, wait: FeedWait)] = []
    private var readers: [Int: [JournalCursor]] = [:]
    /// What each reader has read last.
    private var followed: [Int: Set<JournalName>] = [:]

    init(seed: UInt64, loses: Bool = false) {
        self.loses = loses
        var random = SplitMix64(seed: seed)
        var settings = FeedMachine<Int>.Settings()
        settings.streamsPerReader = 1 + random.below(3)
        settings.streamBytes = random.chance(percent: 50) ? 600 : 100_000
        settings.longestRead = Self.longestRead
        // What was lost is remembered for as long.
        if loses { settings.linger = .seconds(100_000) }
        machine = FeedMachine(settings: settings)
        clients = (0..<4).map { _ in
            let wants = Self.names.filter { _ in random.chance(percent: 60) }
            return Client(wants: wants.isEmpty ? ["eu"] : wants)
        }
        self.random = random
    }

    mutating func step() {
        now += .milliseconds(random.below(300))
        switch random.below(loses ? 12 : 9) {
        case 0, 1: write()
        case 2: ask(random.below(clients.count))
        case 3: look()
        case 4: answerLook()
        case 5: answerRead()
        case 6: wait(for: random.below(4))
        case 7: answerReader()
        case 8:
            if random.chance(percent: 15) { isAway.toggle() }
            if random.chance(percent: 10) { isRefusing.toggle() }
            machine.reached(now)
        case 9: if random.chance(percent: 30) { trim() }
        case 10:
            // The worker is stopped, and others go on.
            guard random.chance(percent: 20) else { break }
            for _ in 0..<3 { write() }
            now += Self.longestRead + .milliseconds(1 + random.below(20_000))
            trim()
            write()
        default: if random.chance(percent: 20) { loseSome() }
        }
        act()
    }

    /// Redis is there, and everything is done that is to be done.
    mutating func calm() {
        (isAway, isRefusing, isCalm) = (false, false, true)
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
        write(to: name)
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
        let cursors = machine.takeLooks(at: now)
        guard !cursors.isEmpty else { return }
        looks = cursors.map { cursor -> (JournalName, StreamLook) in
            guard !isAway else { return (cursor.journal, StreamLook.unreachable) }
            return (cursor.journal, StreamLook.facts(facts(of: cursor)))
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
        // Now and then it is the connection for these reads alone that is lost.
        guard !isAway, isCalm || !random.chance(percent: 5) else {
            machine.foundNoAnswer(for: read.waiter)
            return act()
        }
        guard !isRefusing else {
            machine.found(.unavailable, for: read.waiter)
            return act()
        }
        guard case .entries(let limit) = read.wait.purpose else { return }
        let stale = read.wait.streams.first { stream in
            stream.after > .zero && stream.after.first < journals[stream.name]?.floor ?? 0
        }
        if let stale {
            machine.found(.stale(first: nil, of: stale.name), for: read.waiter)
            return act()
        }
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
        // As a connection does: of what it reads on it knows that it follows.
        let joined = cursors.filter { followed[reader]?.contains($0.journal) != true }
        let overtaken = joined.filter { $0.last.first < journals[$0.journal.origin]?.floor ?? 0 }.map(\.journal)
        // In an order that does not depend on the process, so that a seed is one story.
        let found = cursors.sorted { $0.journal < $1.journal }.compactMap { cursor in
            let ids = (entries[cursor.journal.origin] ?? []).filter { $0 > cursor.last.first }
            return FeedTalk.batch(cursor.journal.origin, behind: cursor.last, ids.map { EntryID(first: $0, second: 0) })
        }
        guard !found.contains(where: { overtaken.contains($0.journal) }) else {
            machine.readFailed(by: reader, .server(code: "STALE", message: "trimmed"), at: now)
            return act()
        }
        followed[reader] = Set(cursors.map(\.journal)).subtracting(overtaken)
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
        let text = FeedTalk.text(reply)
        if text.hasPrefix("-STALE") {
            let names = clients[client].wants.filter { text.contains("entry of \($0):") }
            for name in names { clients[client].got[name] = [] }
        }
        guard case .pairs(let pairs) = reply else { return }
        for pair in pairs {
            guard case .text(let name) = pair.key, case .elements(let wire, let count) = pair.value else { continue }
            let lines = String(buffer: wire).split(separator: "\r\n")
            let ids = lines.filter { $0.hasSuffix("-0") }.compactMap { EntryID($0)?.first }
            #expect(ids.count == count)
            check(ids, behind: clients[client].got[name]?.last, name)
            clients[client].got[name, default: []] += ids
        }
    }
}

// MARK: - Journals

extension FeedWorld {
    private static let longestRead = Duration.seconds(10)

    private mutating func write(to name: String) {
        lastID += 1
        let before = journals[name]?.generated ?? 0
        journals[name, default: Life()].generated = lastID
        entries[name, default: []].append(lastID)
        successors[before, default: []].insert(lastID)
        written[lastID] = now
    }

    private func facts(of cursor: JournalCursor) -> StreamFacts {
        let (all, last) = (entries[cursor.journal.origin] ?? [], cursor.last.first)
        let life = journals[cursor.journal.origin] ?? Life()
        var facts = StreamFacts(life.generated, floor: life.floor, birth: "\(life.birth)", first: all.first)
        facts.hasLast = all.contains(last)
        if !facts.hasLast, last > life.floor {
            facts.survivor = EntryID(first: all.last(where: { $0 < last }) ?? 0, second: 0)
        }
        return facts
    }

    /// Whatever is older than a reader that answers can be behind is trimmed.
    private mutating func trim() {
        guard let name = random.pick(Self.names), let all = entries[name] else { return }
        let rest = all.filter { now - (written[$0] ?? now) <= Self.longestRead }
        entries[name] = rest
        if let newest = all.dropLast(rest.count).last { journals[name]?.floor = newest }
    }

    /// Redis is started again, and a journal has lost its end, or begins anew. Nobody is told that what was found before
    /// the feed had it is lost, so that the feed has all; and who comes with what it had of a former life is not known.
    private mutating func loseSome() {
        guard let name = random.pick(Self.names), !isAway, !isRefusing else { return }
        let isReborn = random.chance(percent: 30)
        let all = entries[name] ?? []
        if !isReborn, let id = machine.numbers[FeedTalk.journal(name)], let stream = machine.streams[id] {
            guard stream.hasLast, stream.recent.last.first == all.last else { return }
        }
        disconnect()
        if isReborn {
            entries[name] = []
            journals[name] = Life(birth: (journals[name]?.birth ?? 0) + 1)
            for index in clients.indices where clients[index].waiter == nil { clients[index].got[name] = [] }
        } else {
            let rest = Array(all.dropLast(1 + random.below(3)))
            entries[name] = rest
            let floor = journals[name]?.floor ?? 0
            journals[name]?.generated = max(rest.last ?? 0, floor)
        }
        for _ in 0..<random.below(3) { write(to: name) }
        look()
        answerLook()
    }

    /// Nothing that is on its way from Redis arrives.
    private mutating func disconnect() {
        if let looks { machine.looked(looks.map { ($0.0, StreamLook.unreachable) }) }
        looks = nil
        for read in reads { machine.foundNoAnswer(for: read.waiter) }
        reads = []
        readers = [:]
        machine.lost()
        act()
    }

    /// Each entry was written behind the one before.
    private func check(_ ids: [UInt64], behind last: UInt64?, _ name: String) {
        var before = last
        for id in ids {
            if let before {
                #expect(successors[before]?.contains(id) == true, "\(name): \(id) behind \(before)")
            }
            before = id
        }
    }
}
