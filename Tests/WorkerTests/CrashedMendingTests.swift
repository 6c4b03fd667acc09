import CrashPoints
import Journal
import RESP
import RedisClient
import ServerFixtures
import Testing

private let durable = ["appendonly yes", "appendfsync always"]

/// Kills a worker at each step in which it mends a copy, or notes what one will never have, and compares what both servers
/// hold with what was written.
@Suite("A worker killed while it mends a copy", .serialized)
struct CrashedMendingTests {
    @Test("a journal gets back what it lost, piece by piece: each entry once, in its place")
    func heals() async throws {
        try await WorkerRegion.with(settings: durable) { region in
            var region = region
            var ledger: [String] = []
            try await region.whileWorking { try await region.flows("before") }
            for (number, point) in CrashScene.healing.points.enumerated() {
                let end = try await region.server.appendOnlyEnd
                ledger += try await region.copiedVoice(1_500, label: "tail \(number)")
                region = try await region.restarted(cutAt: end)
                // The first piece is of 8 entries, the next ones are longer.
                try await region.dies(at: point, times: 3)
                try await region.goesOn(behind: ledger, label: "healed \(number)")
                #expect(try await region.closedCopies() == 0)
            }
        }
    }

    @Test("a journal that lost its tail goes on, and the copy is set aside once, with all that it had")
    func forks() async throws {
        try await WorkerRegion.with(settings: durable) { region in
            var region = region
            var ledger: [String] = []
            try await region.whileWorking { try await region.flows("before") }
            for (number, point) in CrashScene.forking.points.enumerated() {
                ledger += try await region.copiedVoice(20, label: "kept \(number)")
                let end = try await region.server.appendOnlyEnd
                let tail = try await region.copiedVoice(50, label: "tail \(number)")
                let before = try await region.west.send(RedisCommand("XRANGE", WorkerRegion.voice.key, "-", "+"))
                // Written when the tail was gone and no worker ran.
                let last = try #require(tail.last.flatMap { EntryID($0) })
                let new = EntryID(first: last.first + 100, second: 1).description
                let event = [
                    "XADD", WorkerRegion.voice.key, new, "event", "EventRinging", "key", "new \(number)", "data",
                    #"{"ThisDN":"1","ConnID":"new \#(number)","CallType":2}"#,
                ]
                ledger.append(new)
                region = try await region.restarted(cutAt: end, adding: [event])
                try await region.dies(at: point)
                try await region.goesOn(behind: ledger, label: "forked \(number)")
                let closed = WorkerRegion.voice.closedKey(number + 1)
                let kept = try await region.west.send(RedisCommand("XRANGE", closed, "-", "+"))
                #expect(kept.description == before.description)
                #expect(try await region.closedCopies() == number + 1)
            }
        }
    }

    @Test("a journal that comes back without its mark: the copy is the same and gets the new one")
    func adopts() async throws {
        try await WorkerRegion.with(settings: durable) { region in
            var region = region
            var ledger: [String] = []
            try await region.whileWorking { try await region.flows("before") }
            for (number, point) in CrashScene.adopting.points.enumerated() {
                ledger += try await region.copiedVoice(50, label: "kept \(number)")
                let end = try await region.server.appendOnlyEnd
                region = try await region.restarted(
                    cutAt: end, adding: [["HDEL", WorkerRegion.voice.metaKey, "birth"]])
                try await region.dies(at: point)
                try await region.goesOn(behind: ledger, label: "adopted \(number)")
                #expect(try await region.closedCopies() == 0)
            }
        }
    }

    @Test("a journal that was trimmed before the peer had it: how much is noted on both sides, exactly")
    func gaps() async throws {
        try await WorkerRegion.with { region in
            try await region.whileWorking { try await region.flows("before") }
            for (number, point) in CrashScene.gap.points.enumerated() {
                let label = "lost \(number)"
                let journals = [WorkerRegion.voice, WorkerRegion.provisioning]
                try await region.with(["REGIONSYNC_PEERS_EU_WEST_REDIS_PORT": "1"]).whileWorking {
                    try await region.sql("INSERT INTO provisioning.skill (tenant_dbid, name) VALUES (101, '\(label)')")
                    let last = try await region.writeVoice(50, label: label).last
                    try await region.until("\(label) is projected") {
                        let cursor = try await region.east.send(
                            RedisCommand("HGET", "rs:{101}:projection", "voice:us-east"))
                        let row = try await region.east.send(
                            RedisCommand("HEXISTS", "cfg:{101}:skill:by:name", label))
                        return cursor.string == last && row.integer == 1
                    }
                }
                for journal in journals {
                    _ = try await region.east.send(RedisCommand("XTRIM", journal.key, "MAXLEN", "0"))
                }
                try await region.dies(at: point)
                try await region.whileWorking {
                    try await region.flows("after \(label)")
                    try await region.expectInStep(trimmed: true)
                }
                #expect(try await region.missed(of: WorkerRegion.voice) == 50 * (number + 1))
                let gap = try await region.west.send(
                    RedisCommand("HGET", WorkerRegion.voice.metaKey, CopyGap.field(in: "eu-west")))
                #expect(gap.string.flatMap { CopyGap($0) }?.missed == UInt64(50 * (number + 1)))
                for journal in journals {
                    let added = try await region.added(to: journal)
                    let (held, missed) = (try await region.held(of: journal), try await region.missed(of: journal))
                    #expect(added == held + missed)
                }
                let told = RedisCommand("HEXISTS", WorkerRegion.provisioning.metaKey, JournalFunctions.gapField)
                #expect(try await region.west.send(told).integer == 1)
            }
        }
    }
}

extension WorkerRegion {
    /// Writes events while a worker ships them, until the peer has them all; gives their IDs.
    fileprivate func copiedVoice(_ count: Int, label: String) async throws -> [String] {
        var ids: [String] = []
        try await whileWorking {
            let written = try await writeVoice(count, label: label)
            try await until("\(label) is copied") { try await last(of: Self.voice, on: west) == written.last }
            ids = written
        }
        return ids
    }

    /// A worker makes both servers' voice journals one again, and all goes on. They have these entries, each once.
    fileprivate func goesOn(behind ledger: [String], label: String) async throws {
        try await whileWorking {
            // What is written in the middle of healing would make it a fork.
            try await until("\(label): both are the same") {
                for client in [east, west] {
                    let end = try await last(of: Self.voice, on: client)
                    guard end == ledger.last else { return false }
                }
                let question = RedisCommand("HGET", Self.voice.metaKey, "birth")
                let (own, other) = (try await east.send(question), try await west.send(question))
                return own.string == other.string
            }
            try await flows(label)
            try await expectInStep()
        }
        for client in [east, west] { try await expect(ledger, on: client) }
    }

    /// How many copies of the voice journal were set aside.
    fileprivate func closedCopies() async throws -> Int {
        try await west.send(RedisCommand("KEYS", "\(Self.voice.key):closed:*")).elements
            .count { $0.string?.hasSuffix(":meta") == false }
    }

    /// What the owner has noted that the peer's copy will never have.
    fileprivate func missed(of journal: JournalName) async throws -> Int {
        let noted = try await east.send(RedisCommand("HGET", journal.metaKey, "missed:eu-west"))
        return noted.string.flatMap { Int($0) } ?? -1
    }

    /// Entries that the journal was ever given.
    fileprivate func added(to journal: JournalName) async throws -> Int {
        let parts = Array(try await east.send(RedisCommand("XINFO", "STREAM", journal.key)).elements)
        let index = try #require(parts.firstIndex(where: { $0.string == "entries-added" }))
        return Int(try #require(parts[index + 1].integer))
    }

    /// Entries that the peer's copy has.
    fileprivate func held(of journal: JournalName) async throws -> Int {
        Int(try await west.send(RedisCommand("XLEN", journal.key)).integer ?? 0)
    }
}
