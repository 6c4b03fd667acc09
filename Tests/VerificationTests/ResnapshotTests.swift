import Foundation
import Journal
import Observability
import PostgresClient
import RedisClient
import ServerFixtures
import Testing
import Verification
import Worker

@Suite("Diff-resnapshot, on real servers", .serialized)
struct ResnapshotTests {
    @Test("a slot that is dropped under load: what was missed is journaled and nothing else, and both caches are equal")
    func slotDropped() async throws {
        try await LiveRegions.run { live in
            try await live.whileRunning { _ in try await live.caughtUp() }
            // PostgreSQL notices in its own time that nobody streams any more.
            try await live.eventually("the slot is free") {
                try await live.sql("SELECT FROM pg_replication_slots WHERE NOT active").count == 1
            }
            try await live.sql("SELECT pg_drop_replication_slot('regionsync')")
            try await live.sql(
                "DELETE FROM thing WHERE id BETWEEN 2000 AND 2009",
                "UPDATE thing SET city = 'missed' WHERE id BETWEEN 2010 AND 2019",
                "UPDATE thing SET secret = 'missed' WHERE id BETWEEN 2020 AND 2919",
                "INSERT INTO thing SELECT 103, n, 'missed' || n FROM generate_series(1, 10) n", "DELETE FROM bond")
            try await live.underLoad {
                try await live.whileRunning { workers in
                    try await live.eventually("it streams again") {
                        workers[0].states.state(of: "capture")?.name == "streaming"
                    }
                    try await live.caughtUp()
                    for region in 0...1 {
                        try await live.eventually("it knows that all of the cache is right") {
                            try await live.redis(region, ["HEXISTS", "rs:{_}:projection", "stale"])[0].integer == 0
                        }
                    }
                }
            }
            try await live.whileRunning { _ in
                try await live.caughtUp()
                let report = try await live.verify()
                #expect(report.ok, "\(report.text)")
            }
            let journal = try await live.journal()
            let begins = journal.filter { $0["op"] == "begin-snapshot" }.map { $0["mode"] }
            #expect(begins == ["due", nil, "due", "diff"])
            let diff = try Self.diff(in: journal)
            // 230 were missed before there was load, which changes at most 450 objects however long it takes.
            #expect(230..<690 ~= diff.count, "\(diff.count) entries")
            #expect(diff.filter { $0["op"] == "delete" && $0["type"] == "bond" }.count == 200)
        }
    }

    /// The entries of the first comparison with a cache, its end left out.
    private static func diff(in journal: [[String: String]]) throws -> ArraySlice<[String: String]> {
        let begin = try #require(journal.firstIndex { $0["mode"] == "diff" })
        let end = try #require(journal[begin...].firstIndex { $0["op"] == "end-snapshot" })
        return journal[begin..<end]
    }

    @Test("Redis set back behind what PostgreSQL was told to forget: what it lost is found by comparing")
    func redisSetBack() async throws {
        try await LiveRegions.run { live in
            try await live.whileRunning { _ in try await live.caughtUp() }
            let folder = live.servers[0].folder.appending(path: "appendonlydir")
            // While the disk is slow Redis holds back what it is to write.
            try await live.eventually("all is in the file") {
                let persistence = try await live.redis(0, ["INFO", "persistence"])[0].string
                return persistence?.contains("aof_buffer_length:0\r\n") == true
            }
            let before = try Self.appendOnlyFile(in: folder).size
            try await live.whileRunning { _ in
                for number in 1...20 {
                    try await live.sql(
                        "UPDATE thing SET city = 'lost\(number)' WHERE id = \(number)",
                        "DELETE FROM thing WHERE id = \(100 + number)")
                }
                try await live.caughtUp()
                try await live.eventually("PostgreSQL is told to forget") {
                    let rows = try await live.sql(
                        """
                        SELECT confirmed_flush_lsn >= pg_current_wal_lsn() AS told FROM pg_replication_slots
                        WHERE slot_name = 'regionsync'
                        """)
                    return try rows.first?.boolean("told") ?? false
                }
            }
            await live.servers[0].kill()
            let (path, size) = try Self.appendOnlyFile(in: folder)
            #expect(size > before)
            let file = try FileHandle(forUpdating: path)
            try file.truncate(atOffset: before)
            try file.close()
            try await live.servers[0].start()
            // Its peer could give the end back.
            let copy = JournalName.provisioning(origin: "east")
            try await live.redis(1, ["DEL", copy.key, copy.metaKey])
            try await live.whileRunning([0]) { workers in
                try await live.eventually("it streams again") {
                    workers[0].states.state(of: "capture")?.name == "streaming"
                }
                try await live.caughtUp([0])
                let report = try await live.verify(wait: .seconds(5))
                #expect(report.provisioning.regions[0].problems.isEmpty, "\(report.text)")
            }
            let journal = try await live.journal()
            let diff = try #require(journal.firstIndex { $0["mode"] == "diff" })
            let end = try #require(journal[diff...].firstIndex { $0["op"] == "end-snapshot" })
            #expect(end - diff == 41)
            #expect(!journal[..<diff].contains { $0["key"] == "120" && $0["op"] == "delete" })
        }
    }

    @Test("a peer whose copy lacks what left the journal hears of it, is stale, and takes it from PostgreSQL")
    func gap() async throws {
        try await LiveRegions.run { live in
            let name = JournalName.provisioning(origin: "east")
            try await live.whileRunning { _ in try await live.caughtUp() }
            // The peer lost its copy, and the journal what a new one would begin with; changes came that are in neither.
            try await live.redis(1, ["DEL", name.key, name.metaKey])
            try await live.whileRunning([0]) { _ in
                try await live.sql("UPDATE thing SET city = 'missed' WHERE id BETWEEN 2010 AND 2019")
                try await live.caughtUp([0])
            }
            try await live.redis(1, ["DEL", name.key, name.metaKey])
            try await live.redis(0, ["XTRIM", name.key, "MAXLEN", "1"])
            try await live.whileRunning { workers in
                try await live.eventually("the peer was marked") {
                    try await live.redis(1, ["HEXISTS", "rs:{_}:projection", "gap:east"])[0].integer == 1
                }
                try await live.eventually("it knows that all of the cache is right") {
                    try await live.redis(1, ["HEXISTS", "rs:{_}:projection", "stale"])[0].integer == 0
                }
                try await live.sql("UPDATE thing SET city = 'later' WHERE id = 2020")
                try await live.caughtUp()
                let report = try await live.verify(wait: .seconds(30))
                #expect(report.provisioning.drift == 0, "\(report.text)")
                #expect(workers[0].states.state(of: "mirror west journals") == nil)
            }
        }
    }

    private static func appendOnlyFile(in folder: URL) throws -> (path: URL, size: UInt64) {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let path = folder.appending(path: try #require(names.first { $0.hasSuffix(".incr.aof") }))
        let attributes = try FileManager.default.attributesOfItem(atPath: path.path)
        return (path, try #require(attributes[.size] as? UInt64))
    }
}
