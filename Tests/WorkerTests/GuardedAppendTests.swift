import Journal
import Mirror
import NIOCore
import NIOPosix
import RESP
import RedisClient
import ServerFixtures
import Synchronization
import Testing
import Worker

/// A peer's Redis behind the mirror's own adapter, and a plain connection to look at it.
private struct Peer {
    static let journal = JournalName.voice(tenant: "7", origin: "east")

    let server: RedisServer
    let connector: RedisMirrorConnector
    var target: any MirrorTarget
    let plain: RedisConnection

    static func with(_ body: (Peer) async throws -> Void) async throws {
        try await RedisServer.with { server in
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            let endpoint = server.patientEndpoint
            let connector = RedisMirrorConnector(region: "east", local: endpoint, remote: endpoint, eventLoop: loop)
            let plain = try await RedisConnection.connect(to: endpoint, name: "plain", on: loop)
            let target = try await connector.target(leaving: Knock(number: 1, seen: 0))
            try await body(Peer(server: server, connector: connector, target: target, plain: plain))
            target.close()
            await plain.close()
        }
    }

    /// The same server, as a user with fewer rights.
    func restricted(_ rights: String) async throws -> Peer {
        try await run("ACL", "SETUSER", "mirror", "reset", "on", ">secret", "~*", "+@all", rights)
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        var endpoint = server.patientEndpoint
        endpoint.username = "mirror"
        endpoint.password = "secret"
        let connector = RedisMirrorConnector(region: "east", local: endpoint, remote: endpoint, eventLoop: loop)
        return Peer(
            server: server, connector: connector,
            target: try await connector.target(leaving: Knock(number: 1, seen: 0)), plain: plain)
    }

    func batch(_ numbers: ClosedRange<UInt64>, fields: Int = 2) -> EntryBatch? {
        var builder = EntryBatchBuilder(previous: EntryID(first: numbers.lowerBound - 1, second: 0))
        if numbers.lowerBound == 1 { builder = EntryBatchBuilder(previous: .zero) }
        for number in numbers {
            builder.append(id: EntryID(first: number, second: 0), fields: fields) { strings in
                for field in 0..<fields {
                    strings.append("f\(field)")
                    strings.append("\(number)")
                }
            }
        }
        return builder.batch()
    }

    /// The outcome of an append: the last ID, or why it was refused.
    func append(_ numbers: ClosedRange<UInt64>, birth: String = "b", fields: Int = 2) async throws
        -> Result<EntryID, Refusal>
    {
        let batch = try #require(self.batch(numbers, fields: fields))
        do {
            return .success(try await target.append(batch, to: Self.journal, birth: birth).get())
        } catch let refusal as Refusal {
            return .failure(refusal)
        }
    }

    @discardableResult
    func run(_ words: String...) async throws -> String {
        try await plain.send(RedisCommand(words: words, runs: [])).description
    }

    func length() async throws -> String { try await run("XLEN", Self.journal.key) }

    func meta() async throws -> String { try await run("HMGET", Self.journal.metaKey, "birth", "last", "count") }
}

/// One entry goes through the function, many through the transaction: both must hold to the same contract.
private let sizes: [UInt64] = [1, 100]

@Suite("Guarded append on a real Redis", .serialized)
struct GuardedAppendTests {
    @Test("batches follow each other, many in flight, and the meta says what the stream holds", arguments: sizes)
    func follows(size: UInt64) async throws {
        try await Peer.with { peer in
            _ = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            var answers: [EventLoopFuture<EntryID>] = []
            for start in stride(from: UInt64(1), through: 19 * size + 1, by: Int(size)) {
                let batch = try #require(peer.batch(start...(start + size - 1)))
                answers.append(peer.target.append(batch, to: Peer.journal, birth: "b"))
            }
            for answer in answers { _ = try await answer.get() }
            #expect(try await peer.length() == "\(20 * size)")
            #expect(try await peer.meta() == "[\"b\", \"\(20 * size)-0\", \"\(20 * size)\"]")
        }
    }

    @Test("a batch that is not the next is refused with the cursor, and nothing is written", arguments: sizes)
    func refusesGap(size: UInt64) async throws {
        try await Peer.with { peer in
            _ = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            #expect(try await peer.append(1...size) == .success(EntryID(first: size, second: 0)))
            let gap = try await peer.append((size + 2)...(2 * size + 1))
            #expect(gap == .failure(.cursor(last: EntryID(first: size, second: 0))))
            #expect(try await peer.length() == "\(size)")
            #expect(try await peer.append((size + 1)...(2 * size)) == .success(EntryID(first: 2 * size, second: 0)))
        }
    }

    @Test("another birth, a closed journal and a missing meta are fenced", arguments: sizes)
    func fences(size: UInt64) async throws {
        try await Peer.with { peer in
            #expect(try await peer.append(1...size) == .failure(.fenced))
            #expect(try await peer.run("EXISTS", Peer.journal.key) == "0")
            _ = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            #expect(try await peer.append(1...size, birth: "c") == .failure(.fenced))
            try await peer.run("HSET", Peer.journal.metaKey, "closed", "yes")
            #expect(try await peer.append(1...size) == .failure(.fenced))
            #expect(try await peer.length() == "0")
            #expect(try await peer.run("HEXISTS", Peer.journal.metaKey, "refusal") == "0")
        }
    }

    @Test("a stream that somebody else wrote to, deleted or set back is forked, and left as it is", arguments: sizes)
    func noticesOthers(size: UInt64) async throws {
        try await Peer.with { peer in
            _ = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            _ = try await peer.append(1...size)
            let key = Peer.journal.key
            try await peer.run("XADD", key, "\(size)-7", "foreign", "1")
            #expect(try await peer.append((size + 1)...(2 * size)) == .failure(.forked))
            #expect(try await peer.length() == "\(size + 1)")
            let info = try await peer.run("XINFO", "STREAM", key)
            #expect(info.contains("\"last-generated-id\", \"\(size)-7\""))
            try await peer.run("DEL", key)
            #expect(try await peer.append((size + 1)...(2 * size)) == .failure(.forked))
            #expect(try await peer.run("EXISTS", key) == "0")
        }
    }

    @Test("keys of another kind are refused, not written to", arguments: sizes)
    func refusesOtherKinds(size: UInt64) async throws {
        try await Peer.with { peer in
            _ = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            _ = try await peer.append(1...size)
            try await peer.run("SET", Peer.journal.metaKey, "text")
            guard case .failure = try await peer.append((size + 1)...(2 * size)) else {
                Issue.record("written without meta")
                return
            }
            #expect(try await peer.length() == "\(size)")
            let info = try await peer.run("XINFO", "STREAM", Peer.journal.key)
            #expect(info.contains("\"last-generated-id\", \"\(size)-0\""))
        }
    }

    @Test("entries of thousands of fields are appended", arguments: [1, 10] as [UInt64])
    func appendsWide(size: UInt64) async throws {
        try await Peer.with { peer in
            _ = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            #expect(try await peer.append(1...size, fields: 5_000) == .success(EntryID(first: size, second: 0)))
            #expect(try await peer.length() == "\(size)")
        }
    }

    @Test("a guard that cannot look closes the journal; the copy stays")
    func closesUnguarded() async throws {
        try await Peer.with { peer in
            _ = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            _ = try await peer.append(1...100)
            let blind = try await peer.restricted("-xinfo")
            guard case .failure(.unexpected) = try await blind.append(101...200) else {
                Issue.record("appended without a guard")
                return
            }
            #expect(try await peer.length() != "0")
            #expect(try await peer.meta() == "[\"b\", \"100-0\", \"100\"]")
            blind.target.close()
        }
    }

    @Test("a guard that cannot refuse: what went in behind it is never continued", arguments: [false, true])
    func poisons(isForeign: Bool) async throws {
        try await Peer.with { peer in
            _ = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            _ = try await peer.append(1...100)
            if isForeign { try await peer.run("XADD", Peer.journal.key, "100-7", "foreign", "1") }
            let weak = try await peer.restricted("-xsetid")
            let answer = try await weak.append(isForeign ? 101...200 : 111...200)
            #expect(answer == .failure(.unexpected("BROKEN 200-0")))
            #expect(try await peer.meta() == "[\"b\", \"100-0\", \"100\"]")
            #expect(try await peer.append(201...300) == .failure(.fenced))
            #expect(try await peer.target.open(Peer.journal, birth: "b", in: "west").get().isClosed)
            weak.target.close()
        }
    }

    @Test("an append of which an entry is missing is never continued, though it ends as it should")
    func countsEntries() async throws {
        try await Peer.with { peer in
            _ = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            _ = try await peer.append(1...100)
            var builder = EntryBatchBuilder(previous: EntryID(first: 100, second: 0))
            for number in 101...200 as ClosedRange<UInt64> {
                builder.append(id: EntryID(first: number == 150 ? 50 : number, second: 0), fields: 1) { strings in
                    strings.append("n")
                    strings.append("\(number)")
                }
            }
            let batch = try #require(builder.batch())
            await #expect(throws: Refusal.unexpected("BROKEN 200-0")) {
                try await peer.target.append(batch, to: Peer.journal, birth: "b").get()
            }
            #expect(try await peer.append(201...300) == .failure(.fenced))
        }
    }

    @Test("a stream at the highest ID keeps what it is set back to")
    func keepsRestore() async throws {
        try await Peer.with { peer in
            _ = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            _ = try await peer.append(1...100)
            // As a guard leaves it whose closing script never came.
            try await peer.run("XSETID", Peer.journal.key, "18446744073709551615-18446744073709551615")
            try await peer.run("HSET", Peer.journal.metaKey, "refusal", "CURSOR 100-0", "restore", "100-0")
            guard case .failure = try await peer.append(101...200) else {
                Issue.record("appended behind the highest ID")
                return
            }
            #expect(try await peer.append(101...200) == .success(EntryID(first: 200, second: 0)))
        }
    }

    @Test("a user without transactions is refused before anything is written")
    func requiresTransactions() async throws {
        try await Peer.with { peer in
            for right in ["multi", "exec"] {
                await #expect(throws: LinkLoss.self, "\(right)") { try await peer.restricted("-\(right)") }
            }
        }
    }

    @Test("a journal that the mirror saw first is an empty one for its writer")
    func opensAfterLineage() async throws {
        try await Peer.with { peer in
            let source = try await peer.connector.source()
            let journal = JournalName.provisioning(origin: "east")
            let seen = try await source.lineage(of: journal, cursor: .zero, peer: "west", copyBirth: nil).get()
            #expect(try await peer.run("HMGET", journal.metaKey, "last", "count") == "[\"0-0\", \"0\"]")
            let state = try await peer.target.open(journal, birth: "other", in: "west").get()
            #expect(state == CopyState(birth: seen.birth, last: .zero, count: 0, length: 0, generated: .zero))
            try await peer.run("HDEL", journal.metaKey, "last")
            let opened = try await peer.plain.send(JournalFunctions.open(journal, birth: "other"))
            #expect(opened[1]?.string == "0-0")
            source.close()
        }
    }

    @Test("functions that a server lost are loaded again by whichever is called")
    func reloads() async throws {
        try await Peer.with { peer in
            let source = try await peer.connector.source()
            let reader = try await source.reader(named: "test", replyBytes: 1 << 20)
            let cursor = JournalCursor(Peer.journal, behind: .zero)
            try await peer.run("FUNCTION", "FLUSH")
            _ = try await source.lineage(of: Peer.journal, cursor: .zero, peer: "west", copyBirth: nil).get()
            try await peer.run("FUNCTION", "FLUSH")
            let opened = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            let birth = try #require(opened.birth)
            try await peer.run("FUNCTION", "FLUSH")
            #expect(try await peer.append(1...1, birth: birth) == .success(EntryID(first: 1, second: 0)))
            try await peer.run("FUNCTION", "FLUSH")
            #expect(try await reader.passed([cursor], limit: 10).get() == [0])
            reader.close()
            source.close()
        }
    }

    @Test("a full server can be read from and trimmed; it is connected to if it has the functions")
    func trimsFull() async throws {
        try await Peer.with { peer in
            _ = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            _ = try await peer.append(1...100)
            try await peer.run("CONFIG", "SET", "maxmemory", "1")
            let source = try await peer.connector.source()
            let cursor = EntryID(first: 50, second: 0)
            let state = try await source.lineage(of: Peer.journal, cursor: cursor, peer: "west", copyBirth: nil).get()
            #expect(state.found == cursor)
            let trim = JournalFunctions.trim(Peer.journal, minimum: cursor, birth: "b")
            let trimmed = try await peer.plain.send(trim)
            #expect(trimmed.integer == 49)
            let beheaded = try await source.lineage(of: Peer.journal, cursor: .zero, peer: "west", copyBirth: nil).get()
            #expect(beheaded.passed == 49)
            #expect(beheaded.floor == EntryID(first: 49, second: 0))
            source.close()
            try await peer.run("FUNCTION", "FLUSH")
            await #expect(throws: Refusal.self) { try await peer.connector.source() }
        }
    }

    @Test("a connection to a server that became a replica is given up", arguments: sizes)
    func leavesReplica(size: UInt64) async throws {
        try await Peer.with { peer in
            _ = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            let source = try await peer.connector.source()
            try await flip(peer, on: true, kind: 2)
            guard case .failure(.unavailable) = try await peer.append(1...size) else {
                Issue.record("a replica took it")
                return
            }
            let heartbeat = Heartbeat(peer: "west", voice: 0, provisioning: 0)
            await #expect(throws: Refusal.self) {
                try await source.probe(Peer.journal, to: "west", heartbeat, captured: nil).get()
            }
            let ends = Mutex(0)
            for closed in [peer.target.closed, source.closed] {
                closed.whenComplete { _ in ends.withLock { $0 += 1 } }
            }
            for _ in 0..<3000 where ends.withLock({ $0 }) < 2 { try await Task.sleep(for: .milliseconds(20)) }
            #expect(ends.withLock { $0 } == 2)
        }
    }

    @Test("entries are counted as passed whether they were read, trimmed or deleted; too many behind are not counted")
    func countsPassed() async throws {
        try await Peer.with { peer in
            let source = try await peer.connector.source()
            let reader = try await source.reader(named: "test", replyBytes: 1 << 20)
            func passed(_ number: UInt64) async throws -> UInt64? {
                let cursor = JournalCursor(Peer.journal, behind: EntryID(first: number, second: 0))
                return try await reader.passed([cursor], limit: 10).get()[0]
            }
            #expect(try await passed(0) == 0)
            _ = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            _ = try await peer.append(1...40)
            #expect(try await passed(0) == 0)
            #expect(try await passed(20) == nil)
            #expect(try await passed(35) == 35)
            #expect(try await passed(40) == 40)
            try await peer.run("XTRIM", Peer.journal.key, "MAXLEN", "8")
            #expect(try await passed(20) == 32)
            #expect(try await passed(35) == 35)
            try await peer.run("XTRIM", Peer.journal.key, "MAXLEN", "0")
            #expect(try await passed(40) == 40)
            #expect(try await passed(20) == 40)
            reader.close()
            source.close()
        }
    }

    /// Flips what the server refuses while a window of batches is on its way: whatever arrives must be a gapless prefix.
    @Test("a server that flips between writable and not, mid-pipeline, never skips a batch", arguments: 0..<6)
    func survivesFlips(seed: Int) async throws {
        try await Peer.with { given in
            var peer = given
            _ = try await peer.target.open(Peer.journal, birth: "b", in: "west").get()
            var last: UInt64 = 0
            var refusals = 0
            for round in 0..<20 {
                var answers: [EventLoopFuture<EntryID>] = []
                var next = last
                for number in 0..<12 {
                    let size = UInt64((seed + number + round) % 3 == 0 ? 1 : 40)
                    let batch = try #require(peer.batch((next + 1)...(next + size)))
                    next += size
                    answers.append(peer.target.append(batch, to: Peer.journal, birth: "b"))
                    if number % 4 == seed % 4 { try await flip(peer, on: round % 2 == 0, kind: seed % 3) }
                }
                try await flip(peer, on: false, kind: seed % 3)
                for answer in answers {
                    if let id = try? await answer.get() { last = id.first } else { refusals += 1 }
                }
                if seed % 3 == 2 {  // a server that answered READONLY is left
                    peer.target.close()
                    peer.target = try await peer.connector.target(leaving: Knock(number: 1, seen: 0))
                }
                #expect(try await peer.length() == "\(last)", "seed \(seed), round \(round)")
                #expect(try await peer.meta() == "[\"b\", \"\(last)-0\", \"\(last)\"]", "seed \(seed), round \(round)")
            }
            #expect(last > 0)
            #expect(refusals > 0, "seed \(seed): nothing was ever refused")
        }
    }

    private func flip(_ peer: Peer, on: Bool, kind: Int) async throws {
        switch kind {
        case 0: try await peer.run("CONFIG", "SET", "maxmemory", on ? "1" : "0")
        case 1: try await peer.run("CONFIG", "SET", "min-replicas-to-write", on ? "1" : "0")
        default:
            // READONLY: the server becomes a replica of a port where nobody listens.
            if on {
                try await peer.run("REPLICAOF", "127.0.0.1", "1")
            } else {
                try await peer.run("REPLICAOF", "NO", "ONE")
            }
        }
    }
}
