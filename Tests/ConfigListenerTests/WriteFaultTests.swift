import Glibc
import Journal
import Logging
import PostgresClient
import RESP
import RESPServer
import ServerFixtures
import Testing
import Worker

@testable import ConfigListener
@testable import Projection

@Suite("Writes while PostgreSQL fails")
struct WriteFaultTests {
    private func isUnavailable(_ reply: Reply) -> Bool { reply.refusal.hasPrefix("UNAVAILABLE ") }

    @Test("stopped: refused; back again: made", .timeLimit(.minutes(5)))
    func stopped() async throws {
        try await WritingDatabase.with { database in
            let tenant = try await database.tenant("stopped")
            let skill = try await database.id("CFG.PUT \(tenant) skill NEW name a")
            await database.server.stop()
            for name in ["b", "c", "d"] {
                #expect(isUnavailable(try await database.say("CFG.PUT \(tenant) skill \(skill) name \(name)")))
            }
            #expect(isUnavailable(try await database.say("CFG.DEL \(tenant) skill \(skill)")))
            try await database.server.start()
            try await database.eventually {
                try await database.say("CFG.PUT \(tenant) skill \(skill) name e").id == skill
            }
        }
    }

    @Test("silent, as a server that is paused or behind a cut: given up, refused, and made when it is back")
    func paused() async throws {
        var patience = PostgresProvisioning.Patience.ample
        patience.answer = .seconds(3)
        try await WritingDatabase.with(patience: patience) { database in
            let tenant = try await database.tenant("paused")
            let skill = try await database.id("CFG.PUT \(tenant) skill NEW name a")
            let backends = try await database.texts(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'")
            let postmaster = try #require(await database.server.processID)
            let processes = [postmaster] + backends.compactMap { Int32($0) }
            for process in processes { #expect(kill(process, SIGSTOP) == 0) }
            var replies: [Reply] = []
            for name in ["b", "c"] {
                replies.append(try await database.say("CFG.PUT \(tenant) skill \(skill) name \(name)"))
            }
            for process in processes { #expect(kill(process, SIGCONT) == 0) }
            for reply in replies { #expect(isUnavailable(reply), "\(reply)") }
            try await database.eventually {
                try await database.say("CFG.PUT \(tenant) skill \(skill) name d").id == skill
            }
            let name = "SELECT name FROM provisioning.skill WHERE dbid = \(skill)"
            #expect(try await database.texts(name) == ["d"])
        }
    }

    @Test("an old primary is left for one with a newer history", .timeLimit(.minutes(5)))
    func oldPrimary() async throws {
        try await WritingDatabase.with { old in
            try await WritingDatabase.with { new in
                let servers = [old.server, new.server].map { $0.options(user: "regionsync_write") }
                let database = PostgresProvisioning(
                    servers: servers, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await database.run() }
                    // The server that a transaction runs on.
                    func port() async throws -> String? {
                        let transaction = try await database.begin()
                        let answer = try await transaction.run(WriteStatement("SHOW port"))
                        await transaction.rollBack()
                        return answer.first
                    }
                    try await old.eventually { (try? await port()) == "\(old.server.port)" }
                    try await new.superuser.query(
                        """
                        INSERT INTO regionsync.history
                        SELECT 2, system_identifier, 1, 'eu-west' FROM regionsync.history
                        """)
                    try await old.eventually { (try? await port()) == "\(new.server.port)" }
                    group.cancelAll()
                }
            }
        }
    }

    @Test(
        "an old primary is not written to because it answers sooner than the one that was found",
        .timeLimit(.minutes(5)))
    func slowPrimary() async throws {
        try await WritingDatabase.with { old in
            try await WritingDatabase.with { new in
                try await new.superuser.query(
                    """
                    INSERT INTO regionsync.history
                    SELECT 2, system_identifier, 1, 'eu-west' FROM regionsync.history
                    """)
                var servers = [old.server, new.server].map { $0.options(user: "regionsync_write") }
                servers[1].connectTimeout = .seconds(3)
                let database = PostgresProvisioning(
                    servers: servers, patience: .ample,
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await database.run() }
                    // It keeps its connection, so that the next one needs another.
                    var first: (any ProvisioningTransaction)?
                    try await old.eventually {
                        guard let transaction = try? await database.begin() else { return false }
                        guard (try? await transaction.run(WriteStatement("SHOW port")))?.first == "\(new.server.port)"
                        else {
                            await transaction.rollBack()
                            return false
                        }
                        first = transaction
                        return true
                    }
                    let postmaster = try #require(await new.server.processID)
                    // It serves who is connected, and nobody else.
                    #expect(kill(postmaster, SIGSTOP) == 0)
                    let second = try? await database.begin()
                    #expect(kill(postmaster, SIGCONT) == 0)
                    #expect(second == nil, "begun on another server")
                    for transaction in [first, second] { await transaction?.rollBack() }
                    group.cancelAll()
                }
            }
        }
    }

    @Test("a server without the history that the region has come to is a former primary, and not written to")
    func formerPrimary() async throws {
        try await WritingDatabase.with { database in
            let tenant = try await database.tenant("former")
            let progress = ProvisioningProgress()
            let region = database.projecting(progress)
            progress.reached(Position(number: 1 << 52 | 100))
            let first = try await region.say("CFG.PUT \(tenant) skill NEW name a ONCE k")
            #expect(first.id != nil, "\(first)")
            #expect(try await region.say("CFG.PUT \(tenant) skill NEW name a ONCE k") == first)
            progress.reached(Position(number: 2 << 52 | 7))
            for words in ["name b", "name a ONCE k"] {
                let refused = try await region.say("CFG.PUT \(tenant) skill NEW \(words)")
                #expect(isUnavailable(refused) && refused.refusal.contains("former primary"), "\(refused)")
            }
            let names = "SELECT name FROM provisioning.skill WHERE tenant_dbid = \(tenant) ORDER BY dbid"
            #expect(try await database.texts(names) == ["a"])
            try await database.superuser.query(
                """
                INSERT INTO regionsync.history
                SELECT 2, system_identifier, 1, 'eu-west' FROM regionsync.history
                """)
            #expect(try await region.say("CFG.PUT \(tenant) skill NEW name a ONCE k") == first)
            _ = try await region.id("CFG.PUT \(tenant) skill NEW name c")
            #expect(try await database.texts(names) == ["a", "c"])
        }
    }

    @Test("connections that ended while nobody used them are made again, unnoticed")
    func staleConnections() async throws {
        try await WritingDatabase.with { database in
            let tenant = try await database.tenant("stale")
            for name in ["a", "b"] {
                _ = try await database.id("CFG.PUT \(tenant) skill NEW name \(name)")
                let ended = try await database.texts(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE usename = 'regionsync_write' AND query IN ('COMMIT', 'ROLLBACK')
                    """)
                #expect(ended.contains("t"))
            }
            _ = try await database.id("CFG.PUT \(tenant) skill NEW name c")
        }
    }

    @Test("a connection that is lost between commit and reply: the client is told so, and ONCE makes repeating it safe")
    func lostReply() async throws {
        try await WritingDatabase.with { database in
            let tenant = try await database.tenant("lost")
            try await database.holdCommits()
            let put = "CFG.PUT \(tenant) skill NEW name a ONCE k"
            async let lost = database.say(put)
            try await database.eventually {
                try await database.texts(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE usename = 'regionsync_write' AND wait_event = 'SyncRep'
                    """
                ).contains("t")
            }
            let reply = try await lost
            #expect(isUnavailable(reply) && reply.refusal.contains("ONCE"), "\(reply)")
            try await database.releaseCommits()
            let ids = "SELECT dbid FROM provisioning.skill WHERE tenant_dbid = \(tenant)"
            let made = try await database.texts(ids)
            #expect(made.count == 1)
            try await database.eventually { try await !isUnavailable(database.say(put)) }
            let again = try await database.say(put)
            #expect(again.id == made.first)
            #expect(try await database.texts(ids) == made)
            let answer = try await database.texts("SELECT answer FROM regionsync.once").first
            #expect(answer?.hasPrefix("\(again.token ?? "none") - ") == true)
        }
    }

    @Test("a commit in which the server itself fails may be found in its log: it is not said that nothing was written")
    func failedCommit() async throws {
        try await WritingDatabase.with { database in
            let tenant = try await database.tenant("failed")
            try await database.superuser.query(
                """
                CREATE FUNCTION provisioning.fail() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    RAISE EXCEPTION 'could not write' USING ERRCODE = '58030';
                END $$
                """)
            try await database.superuser.query(
                """
                CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON provisioning.skill
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION provisioning.fail()
                """)
            let reply = try await database.say("CFG.PUT \(tenant) skill NEW name a")
            #expect(isUnavailable(reply) && reply.refusal.contains("it may be written or not"), "\(reply)")
        }
    }

    @Test("asked for again while the first try hangs in its commit: it is not said that nothing was written")
    func hangingCommit() async throws {
        try await WritingDatabase.with(patience: .ampleButForLocks) { database in
            let tenant = try await database.tenant("hanging")
            try await database.holdCommits()
            let put = "CFG.PUT \(tenant) skill NEW name a ONCE k"
            async let first = database.say(put)
            try await database.eventually {
                try await database.texts(
                    """
                    SELECT pid FROM pg_stat_activity
                    WHERE usename = 'regionsync_write' AND wait_event = 'SyncRep'
                    """
                ).count == 1
            }
            let second = try await database.say(put)
            #expect(second.refusal == "UNAVAILABLE the same ONCE key is being written; ask again with it")
            try await database.releaseCommits()
            let made = try await first
            #expect(made.id != nil, "\(made)")
            #expect(try await database.say(put) == made)
        }
    }

    @Test(
        "who has locked the table of keys, as VACUUM FULL does, does not keep others from writing",
        .timeLimit(.minutes(5)))
    func lockedKeys() async throws {
        try await WritingDatabase.with { database in
            let other = try await PostgresConnection.connect(database.server.options(user: "postgres"))
            try await other.query("BEGIN")
            try await other.query("LOCK TABLE regionsync.once IN ACCESS EXCLUSIVE MODE")
            let provisioning = PostgresProvisioning(
                servers: [database.server.options(user: "regionsync_write")],
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await provisioning.run() }
                // Longer than it may take to look for the keys that are a day old, which comes first: every try would be cut
                // off. Where all is slow, some are.
                try await database.eventually {
                    guard let transaction = try? await provisioning.begin() else { return false }
                    guard (try? await transaction.run(WriteStatement("SELECT pg_sleep(2.5)"))) != nil else {
                        await transaction.rollBack()
                        return false
                    }
                    return (try? await transaction.commit()) != nil
                }
                group.cancelAll()
            }
            await other.close()
        }
    }

    @Test("a deadlock is a matter of trying again", .timeLimit(.minutes(5)))
    func deadlock() async throws {
        try await WritingDatabase.with { database in
            let tenant = try await database.tenant("deadlock")
            let first = try await database.id("CFG.PUT \(tenant) skill NEW name a")
            let gate = try await database.id("CFG.PUT \(tenant) skill NEW name g")
            let second = try await database.id("CFG.PUT \(tenant) skill NEW name b")
            let other = try await PostgresConnection.connect(database.server.options(user: "postgres"))
            let keeper = try await PostgresConnection.connect(database.server.options(user: "postgres"))
            for connection in [other, keeper] { try await connection.query("BEGIN") }
            // Who has waited for `deadlock_timeout` looks, and gives way.
            try await other.query("SET LOCAL deadlock_timeout = '10min'")
            try await other.query("UPDATE provisioning.skill SET name = 'y' WHERE dbid = \(second)")
            try await keeper.query("UPDATE provisioning.skill SET name = 'z' WHERE dbid = \(gate)")
            async let reply = database.sayTogether([
                "CFG.PUT \(tenant) skill \(first) name c", "CFG.PUT \(tenant) skill \(gate) name h",
                "CFG.PUT \(tenant) skill \(second) name d",
            ])
            let waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            try await database.eventually { try await database.texts(waiting).count == 1 }
            async let overtaken = other.query(
                "UPDATE provisioning.skill SET name = 'x' WHERE dbid = \(first)", timeout: .seconds(120))
            try await database.eventually { try await database.texts(waiting).count == 2 }
            // Only now can the writes come to where they wait for who waits for them.
            try await keeper.query("ROLLBACK")
            _ = try await overtaken
            try await other.query("COMMIT")
            let made = try await reply
            #expect(!made.isError, "\(made)")
            let names = "SELECT name FROM provisioning.skill WHERE tenant_dbid = \(tenant) ORDER BY dbid"
            #expect(try await database.texts(names) == ["c", "h", "d"])
            for connection in [other, keeper] { await connection.close() }
        }
    }

    @Test("an object that is locked for too long is waited for with a bound")
    func locked() async throws {
        try await WritingDatabase.with(patience: .ampleButForLocks) { database in
            let tenant = try await database.tenant("locked")
            let skill = try await database.id("CFG.PUT \(tenant) skill NEW name a")
            let other = try await PostgresConnection.connect(database.server.options(user: "postgres"))
            try await other.query("BEGIN")
            try await other.query("UPDATE provisioning.skill SET name = 'y' WHERE dbid = \(skill)")
            let waited = try await database.say("CFG.PUT \(tenant) skill \(skill) name b")
            #expect(waited.refusal.hasPrefix("TIMEOUT "), "\(waited)")
            try await other.query("ROLLBACK")
            await other.close()
            #expect(try await database.id("CFG.PUT \(tenant) skill \(skill) name b") == skill)
        }
    }

    @Test("connections that are all in use are waited for with a bound")
    func crowded() async throws {
        var patience = PostgresProvisioning.Patience.ample
        patience.turn = .milliseconds(500)
        try await WritingDatabase.with(connections: 1, patience: patience) { database in
            let tenant = try await database.tenant("crowded")
            let skill = try await database.id("CFG.PUT \(tenant) skill NEW name a")
            let transaction = try await database.database.begin()
            let crowded = try await database.say("CFG.PUT \(tenant) skill \(skill) name b")
            #expect(crowded.refusal.hasPrefix("UNAVAILABLE all connections"), "\(crowded)")
            await transaction.rollBack()
            #expect(try await database.id("CFG.PUT \(tenant) skill \(skill) name b") == skill)
        }
    }

    @Test("transactions that wait for each other do with as many connections as there may be")
    func turns() async throws {
        try await WritingDatabase.with(connections: 2) { database in
            let tenant = try await database.tenant("turns")
            _ = try await database.id("CFG.PUT \(tenant) skill NEW name first")
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for number in 0..<12 {
                    tasks.addTask { _ = try await database.id("CFG.PUT \(tenant) skill NEW name s\(number)") }
                }
                try await tasks.waitForAll()
            }
            // One more asks whether PostgreSQL is there.
            let own = try await database.texts("SELECT pid FROM pg_stat_activity WHERE usename = 'regionsync_write'")
            #expect(own.count <= 3)
        }
    }

    @Test("a server that takes no writes, and a role without rights, which is told what grants them")
    func rights() async throws {
        try await WritingDatabase.with { database in
            let tenant = try await database.tenant("rights")
            try await database.superuser.query("REVOKE INSERT ON provisioning.skill FROM regionsync_write")
            let refused = try await database.say("CFG.PUT \(tenant) skill NEW name a")
            #expect(refused.refusal.hasPrefix("ERR ") && refused.refusal.contains("regionsync migrate"), "\(refused)")
            try await database.superuser.query("ALTER SYSTEM SET default_transaction_read_only = on")
            try await database.superuser.query("SELECT pg_reload_conf()")
            try await database.eventually {
                try await isUnavailable(database.say("CFG.PUT \(tenant) role NEW name r"))
            }
        }
    }

    @Test("a region file without a writer says which key is missing")
    func unconfigured() async throws {
        #expect(
            DatabaseFailure.away("the region file lacks postgres.writer").reply.description
                == "UNAVAILABLE the region file lacks postgres.writer")
        await #expect(throws: DatabaseFailure.away("the region file lacks postgres.writer")) {
            _ = try await NoWriter().begin()
        }
    }
}

extension WritingDatabase {
    /// From now on a commit is in the log, and then waits for a standby that there is not; the superuser's does not.
    fileprivate func holdCommits() async throws {
        try await superuser.query("SET synchronous_commit = local")
        try await superuser.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        try await superuser.query("SELECT pg_reload_conf()")
        try await eventually { try await texts("SHOW synchronous_standby_names") == ["nobody"] }
        // It is the checkpointer that has all others wait: it reads its settings before it does this.
        try await superuser.query("CHECKPOINT")
    }

    /// Commits that wait are over.
    fileprivate func releaseCommits() async throws {
        try await superuser.query("ALTER SYSTEM RESET synchronous_standby_names")
        try await superuser.query("SELECT pg_reload_conf()")
    }
}
