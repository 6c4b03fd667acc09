import Logging
import RESP
import RESPServer
import Testing
import Worker

@testable import ConfigListener

@Suite("Writes that are asked for once", SharedDatabase())
struct OnceTests {
    private let database: WritingDatabase

    init() throws { database = try #require(SharedDatabase.current) }

    @Test("repeating one has no second effect, and the same answer; another request with its key is refused")
    func repeated() async throws {
        let tenant = try await database.tenant("once")
        let put = "CFG.PUT \(tenant) skill NEW name a ONCE k"
        let first = try await database.say(put)
        #expect(first.id != nil && first.token != nil, "\(first)")
        for _ in 0..<3 { #expect(try await database.say(put) == first) }
        let skill = try #require(first.id)
        let conflict = "CONFLICT the key of ONCE stands for another request"
        for other in [
            "CFG.PUT \(tenant) skill NEW name b ONCE k", "CFG.DEL \(tenant) skill \(skill) ONCE k",
            "CFG.PUT \(tenant) skill \(skill) name a ONCE k",
        ] {
            #expect(try await database.say(other).refusal == conflict)
        }
        let delete = "CFG.DEL \(tenant) skill \(skill) ONCE gone"
        let gone = try await database.say(delete)
        #expect(gone.value("removed") == .integer(1))
        #expect(try await database.say(delete) == gone)
        // The object is gone; the answer to making it is not.
        #expect(try await database.say(put) == first)
        let count = "SELECT count(*) FROM provisioning.skill WHERE tenant_dbid = \(tenant)"
        #expect(try await database.texts(count) == ["0"])
    }

    @Test("a key belongs to its account and tenant")
    func owners() async throws {
        let (tenant, other) = (try await database.tenant("once-one"), try await database.tenant("once-two"))
        let ids = [
            try await database.id("CFG.PUT \(tenant) skill NEW name a ONCE k"),
            try await database.id("CFG.PUT \(other) skill NEW name a ONCE k"),
            try await database.id("CFG.PUT \(tenant) skill NEW name b ONCE k", as: .of(tenant)),
        ]
        #expect(Set(ids).count == 3)
    }

    @Test("what was refused is not remembered")
    func refused() async throws {
        let tenant = try await database.tenant("once-refused")
        let put = "CFG.PUT \(tenant) skill 999999 name a ONCE k"
        #expect(try await database.say(put).refusal == "NOTFOUND no such object")
        #expect(try await database.say("CFG.PUT \(tenant) skill NEW name a ONCE k").id != nil)
    }

    @Test("asked for at the same time by many, it is made once")
    func together() async throws {
        let tenant = try await database.tenant("once-together")
        let replies = try await withThrowingTaskGroup(of: Reply.self) { group in
            for _ in 0..<4 {
                group.addTask { [database] in
                    try await database.say("CFG.PUT \(tenant) skill NEW name a ONCE k")
                }
            }
            return try await group.reduce(into: [Reply]()) { $0.append($1) }
        }
        #expect(replies.allSatisfy { $0 == replies[0] && $0.id != nil }, "\(replies)")
    }

    @Test("a transaction repeated whole has no second effect; one key does not stand twice in it")
    func transactions() async throws {
        let tenant = try await database.tenant("once-transaction")
        let lines = ["CFG.PUT \(tenant) skill NEW name a ONCE a", "CFG.PUT \(tenant) skill NEW name b ONCE b"]
        let first = try await database.sayTogether(lines)
        #expect(!first.isError, "\(first)")
        #expect(try await database.sayTogether(lines) == first)
        let more = try await database.sayTogether(lines + ["CFG.PUT \(tenant) skill NEW name c"])
        guard case .array(let replies) = more, case .array(let earlier) = first else {
            Issue.record("\(more)")
            return
        }
        #expect(Array(replies.prefix(2)) == earlier && replies.last?.token != earlier.first?.token)
        let twice = try await database.sayTogether([lines[0], lines[0]])
        #expect(twice.refusal == "ERR command 2: the key of ONCE stands twice in the transaction")
    }

    @Test("keys are forgotten after a day, some at a time")
    func pruning() async throws {
        let tenant = try await database.tenant("once-pruned")
        _ = try await database.id("CFG.PUT \(tenant) skill NEW name a ONCE fresh")
        _ = try await database.texts(
            """
            INSERT INTO regionsync.once (account, tenant, key, request, answer, at)
            SELECT 'old', \(tenant), number::text, '', '', now() - interval '25 hours'
            FROM generate_series(1, \(OnceKey.pruneLimit) + 1) AS number
            """)
        let transaction = try await database.database.begin()
        // The database's own pruning may have been there first.
        let pruning = OnceKey.pruning(OnceKey.pruneLimit)
        var bites = [try await transaction.run(pruning).affected]
        while bites.last != 0 { bites.append(try await transaction.run(pruning).affected) }
        try await transaction.commit()
        #expect(bites.allSatisfy { $0 <= OnceKey.pruneLimit }, "\(bites)")
        let left = "SELECT account || ' ' || key FROM regionsync.once WHERE tenant = \(tenant)"
        // And may have some still, in a transaction that is not over.
        try await database.eventually { try await database.texts(left) == ["gws fresh"] }
    }

    @Test("all keys that are a day old are forgotten, however many they are")
    func pruningGoesOn() async throws {
        let tenant = try await database.tenant("once-pruned-all")
        _ = try await database.texts(
            """
            INSERT INTO regionsync.once (account, tenant, key, request, answer, at)
            SELECT 'old', \(tenant), number::text, '', '', now() - interval '25 hours'
            FROM generate_series(1, \(OnceKey.pruneLimit) * 3) AS number
            """)
        let pruning = PostgresProvisioning(
            servers: [database.server.options(user: "regionsync_write")],
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await pruning.run() }
            try await database.eventually {
                try await database.texts("SELECT key FROM regionsync.once WHERE tenant = \(tenant)").isEmpty
            }
            tasks.cancelAll()
        }
    }
}
