import Observability
import PostgresClient
import ServerFixtures
import Testing

@Suite("The ports of a worker that stops", .timeLimit(.minutes(6)))
struct ListenerDrainTests {
    @Test("answer who waits and what was begun, then close, before the rest of the worker ends")
    func drain() async throws {
        try await WorkerRegion.with { region in
            let (voice, config) = (try freePort(), try freePort())
            var environment = region.environment
            environment["REGIONSYNC_LISTENERS_VOICE_PORT"] = "\(voice)"
            environment["REGIONSYNC_LISTENERS_CONFIG_PORT"] = "\(config)"
            let worker = try WorkerProcess(
                "worker", region: WorkerRegion.file, environment: environment, folder: region.folder)
            defer { worker.kill() }
            try await region.until("the ports are served") {
                let states = (await worker.state(of: "listener voice"), await worker.state(of: "listener config"))
                return states.0?.name == "listening" && states.1?.name == "listening"
            }
            let writer = try TextClient(port: config)
            try await region.until("the tenant is known, and written for") {
                try await writer.say("CFG.PUT one skill NEW name first").contains("token")
            }
            let reader = try TextClient(port: voice)
            try await region.park(reader)
            // A lock keeps the write from ending before the worker stops; for one of the table it would wait only seconds.
            try await region.sql(
                """
                CREATE FUNCTION provisioning.hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    PERFORM set_config('lock_timeout', '0', true);
                    PERFORM pg_advisory_xact_lock(1);
                    RETURN NULL;
                END $$;
                CREATE TRIGGER hold BEFORE INSERT ON provisioning.skill EXECUTE FUNCTION provisioning.hold()
                """)
            let holder = try await PostgresConnection.connect(region.postgresOptions)
            _ = try await holder.query("BEGIN; SELECT pg_advisory_xact_lock(1)")
            let blocked = try TextClient(port: config)
            blocked.send(["CFG.PUT one skill NEW name second"])
            try await region.until("the write waits") {
                let waiting =
                    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'regionsync_write'"
                return try await region.sql(waiting).count == 1
            }
            worker.terminate()
            #expect(try await reader.read(upTo: "*-1\r\n") == "*-1\r\n")
            _ = try await holder.query("COMMIT")
            await holder.close()
            let reply = try await blocked.read(upTo: "\r\n")
            #expect(reply.hasPrefix("*"), "\(reply)")
            try await worker.stop()
            let names = try await region.sql("SELECT FROM provisioning.skill WHERE name = 'second'")
            #expect(names.count == 1)
            #expect(throws: TextClient.NotConnected.self) { try TextClient(port: voice) }
        }
    }
}
