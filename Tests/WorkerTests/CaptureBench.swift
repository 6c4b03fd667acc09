import Capture
import Foundation
import Journal
import Logging
import NIOPosix
import Observability
import PostgresClient
import RESP
import RedisClient
import RegionConfig
import ServerFixtures
import Testing
import Worker

/// A real PostgreSQL and a real Redis with capture between them, and the means to compare the two.
struct CaptureBench {
    static let catalog = Catalog(tables: [
        CatalogTable(
            table: TableName(schema: "provisioning", name: "person"), type: "person", key: ["dbid"],
            tenant: "tenant_dbid", omit: ["password_hash"]),
        CatalogTable(
            table: TableName(schema: "provisioning", name: "level"), type: "level", key: ["person_dbid", "skill_dbid"],
            tenant: "tenant_dbid"),
    ])
    static let schema = """
        CREATE SCHEMA regionsync;
        CREATE TABLE regionsync.history (
            number integer PRIMARY KEY, system_identifier bigint NOT NULL, timeline integer NOT NULL,
            capture_region text NOT NULL, since timestamptz NOT NULL DEFAULT now());
        CREATE SCHEMA provisioning;
        CREATE TABLE provisioning.person (
            dbid bigint, tenant_dbid bigint NOT NULL, name text, notes text, password_hash text,
            PRIMARY KEY (tenant_dbid, dbid));
        ALTER TABLE provisioning.person ALTER notes SET STORAGE EXTERNAL;
        CREATE TABLE provisioning.level (
            person_dbid bigint, skill_dbid bigint, level int, tenant_dbid bigint NOT NULL,
            PRIMARY KEY (tenant_dbid, person_dbid, skill_dbid));
        CREATE TABLE provisioning.unpublished (id int PRIMARY KEY);
        """

    let postgres: PostgresServer
    let redis: RedisServer
    let states = ComponentStates()
    let metrics = MetricsRegistry()
    var catalog = CaptureBench.catalog
    var settings = Capture.Settings()
    /// The Redis of each peer; without any capture never asks.
    var peers: [RedisServer] = []

    /// Starts both servers and hands the bench to `body`; stops them whatever happens.
    static func with(
        schema: String = CaptureBench.schema, redisSettings: [String] = ["appendonly yes", "appendfsync always"],
        _ body: (CaptureBench) async throws -> Void
    ) async throws {
        let postgres = try await PostgresServer.start()
        let redis: RedisServer
        do { redis = try await RedisServer.start(settings: redisSettings) } catch {
            await postgres.discard()
            throw error
        }
        let bench = CaptureBench(postgres: postgres, redis: redis)
        do {
            try await bench.sql(schema)
            try await body(bench)
        } catch {
            await postgres.discard()
            await redis.discard()
            throw error
        }
        await postgres.discard()
        await redis.discard()
    }

    private init(postgres: PostgresServer, redis: RedisServer) {
        self.postgres = postgres
        self.redis = redis
    }

    /// Another worker of the same region.
    init(sharing other: CaptureBench) {
        self.init(postgres: other.postgres, redis: other.redis)
        settings = other.settings
    }

    var postgresOptions: PostgresOptions {
        PostgresOptions(host: postgres.host, port: postgres.port, database: "postgres", user: "postgres")
    }

    var redisEndpoint: RedisEndpoint { RedisEndpoint(host: redis.host, port: redis.port) }

    @discardableResult
    func sql(_ statements: String...) async throws -> PostgresRows {
        var options = postgresOptions
        options.connectTimeout = .seconds(60)  // a busy machine is no failure of ours
        let connection = try await PostgresConnection.connect(options)
        do {
            var rows: PostgresRows?
            for statement in statements { rows = try await connection.query(statement, timeout: .seconds(120)) }
            await connection.close()
            return try #require(rows)
        } catch {
            await connection.close()
            throw error
        }
    }

    @discardableResult
    func redis(_ words: String..., at endpoint: RedisEndpoint? = nil) async throws -> RedisReply {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        var endpoint = endpoint ?? redisEndpoint
        endpoint.connectTimeout = .seconds(60)
        endpoint.responseTimeout = .seconds(60)
        let connection = try await RedisConnection.connect(to: endpoint, name: "bench", on: loop)
        do throws(RedisError) {
            let reply: RedisReply = try await connection.send(RedisCommand(words))
            await connection.close()
            return reply
        } catch {
            await connection.close()
            throw error
        }
    }

    // MARK: Capture

    func capture() -> (Capture, PostgresCaptureSource, RedisCaptureJournal) {
        let source = PostgresCaptureSource(
            region: "us-east", catalog: catalog, publication: "regionsync", slot: "regionsync", readerCount: 2,
            options: postgresOptions)
        let journal = RedisCaptureJournal(
            region: "us-east", endpoint: redisEndpoint,
            peers: peers.map { RedisEndpoint(host: $0.host, port: $0.port) },
            eventLoop: MultiThreadedEventLoopGroup.singleton.any())
        var logger = Logger(label: "capture")
        logger.logLevel =
            ProcessInfo.processInfo.environment["CAPTURE_LOG"].flatMap { Logger.Level(rawValue: $0) } ?? .critical
        let capture = Capture(
            catalog: catalog, source: source, journal: journal, role: peers.isEmpty ? nil : journal, settings: settings,
            metrics: CaptureMetrics(metrics, catalog: catalog), states: states, logger: logger)
        return (capture, source, journal)
    }

    /// Runs capture beside `body`, and stops it: in order, or as if its worker had been killed.
    func whileCapturing<R>(stopsCleanly: Bool = false, _ body: () async throws -> R) async throws -> R {
        let (capture, source, journal) = capture()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await capture.run() }
            let result: Result<R, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            group.cancelAll()
            try await group.waitForAll()
            if stopsCleanly { await journal.release() }
            await source.close()
            await journal.close()
            return try result.get()
        }
    }

    /// Captures until all is in the journal that was committed before, and then what the statements change.
    func captureAll(_ statements: String...) async throws {
        try await whileCapturing {
            try await awaitState("streaming")
            for statement in statements { try await sql(statement) }
            try await caughtUp()
        }
    }

    /// Where the journal says that replication resumes.
    func position() async throws -> Position {
        let reply = try await redis("HGET", JournalName.provisioning(origin: "us-east").metaKey, "position")
        return try #require(reply.string.flatMap { Position($0) })
    }

    /// Waits until `condition` holds.
    func eventually(
        _ what: String, within time: Duration = .seconds(90), _ condition: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + time
        while try await !condition() {
            guard ContinuousClock.now < deadline else {
                Issue.record("not within \(time): \(what); capture is \(String(describing: state))")
                throw CancellationError()
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    var state: ComponentState? { states.state(of: Capture.component) }

    var slotState: ComponentState? { states.state(of: Capture.slotComponent) }

    var retainedBytes: Double? { metrics.snapshot().number(.captureSlotRetainedWALBytes) }

    func awaitState(_ name: String, within time: Duration = .seconds(90)) async throws {
        try await eventually("state \(name)", within: time) { state?.name == name }
    }

    /// PostgreSQL forgets the slot. It says that somebody streams until it has noticed that nobody does any more.
    func dropSlot() async throws {
        try await eventually("nobody streams") {
            try await sql("SELECT FROM pg_replication_slots WHERE active").isEmpty
        }
        try await sql("SELECT pg_drop_replication_slot('regionsync')")
    }

    /// Waits until everything committed so far is in the journal.
    func caughtUp(within time: Duration = .seconds(120)) async throws {
        let row = try #require(try await sql("SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn AS lsn").first)
        let goal: UInt64 = try row.integer("lsn")
        try await eventually("position \(goal)", within: time) {
            let key = JournalName.provisioning(origin: "us-east").metaKey
            guard let text = try? await redis("HGET", key, "position").string else { return false }
            return (Position(text)?.lsn ?? 0) >= goal
        }
    }
}
