import Foundation
import Journal
import Logging
import NIOPosix
import PostgresClient
import Provisioning
import RESP
import RedisClient
import RegionConfig
import ServerFixtures
import Testing
import Verification
import Worker

/// A PostgreSQL with two small tables, two Redis servers, and the workers of both regions.
struct LiveRegions {
    let postgres: PostgresServer
    let servers: [RedisServer]
    let regions: [Region]
    private let folder: URL

    static let names = TwoRegions.names

    /// `verification` is that section of the region files, `further` are lines of one region's, by its name.
    static func run(
        verification: String = "{delay: 1d}", further: [String: String] = [:],
        _ body: (LiveRegions) async throws -> Void
    ) async throws {
        let live = try await LiveRegions(verification: verification, further: further)
        do {
            try await live.sql(schema)
            try await body(live)
        } catch {
            await live.discard()
            throw error
        }
        await live.discard()
    }

    private init(verification: String, further: [String: String]) async throws {
        postgres = try await PostgresServer.start()
        let settings = ["appendonly yes", "appendfsync everysec"]
        servers = [
            try await RedisServer.start(settings: settings), try await RedisServer.start(settings: settings),
        ]
        folder = FileManager.default.temporaryDirectory.appending(path: "regionsync-live-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var regions: [Region] = []
        for name in Self.names {
            let path = folder.appending(path: "\(name).yaml").path
            let text =
                TwoRegions.regionFile(name, servers, postgres)
                + "\nverification: \(verification)\n\(further[name] ?? "")\n"
            try Data(text.utf8).write(to: URL(filePath: path))
            regions.append(try RegionFile.load(path, environment: [:]))
        }
        self.regions = regions
    }

    private func discard() async {
        for server in servers { await server.discard() }
        await postgres.discard()
        try? FileManager.default.removeItem(at: folder)
    }

    private static let schema = """
        CREATE SCHEMA regionsync;
        CREATE TABLE regionsync.history (
            number integer PRIMARY KEY, system_identifier bigint NOT NULL, timeline integer NOT NULL,
            capture_region text NOT NULL, since timestamptz NOT NULL DEFAULT now());
        INSERT INTO regionsync.history SELECT 1, system_identifier, 1, 'east' FROM pg_control_system();
        CREATE TABLE thing (tenant bigint NOT NULL, id bigint NOT NULL, name text, city text, secret text,
            UNIQUE (tenant, id));
        CREATE TABLE bond (tenant bigint NOT NULL, left_id bigint NOT NULL, right_id text NOT NULL,
            UNIQUE (tenant, left_id, right_id));
        ALTER TABLE thing REPLICA IDENTITY USING INDEX thing_tenant_id_key;
        ALTER TABLE bond REPLICA IDENTITY USING INDEX bond_tenant_left_id_right_id_key;
        INSERT INTO thing
            SELECT 101 + n % 2, n, 'thing' || n, CASE WHEN n % 3 > 0 THEN 'city' || n % 7 END, 'secret'
            FROM generate_series(1, 3000) AS n;
        INSERT INTO bond SELECT 101, n, E'a,\\t' || n FROM generate_series(1, 200) AS n;
        """

    // MARK: Doing

    @discardableResult
    func sql(_ statements: String...) async throws -> PostgresRows {
        let connection = try await PostgresConnection.connect(
            PostgresOptions(host: postgres.host, port: postgres.port, database: "postgres", user: "postgres"))
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

    /// Runs commands on the Redis of region `index`.
    @discardableResult
    func redis(_ index: Int, _ commands: [String]...) async throws -> [RedisReply] {
        let connection = try await RedisConnection.connect(
            to: RedisEndpoint(
                host: servers[index].host, port: servers[index].port, connectTimeout: .seconds(30)), name: "test",
            on: MultiThreadedEventLoopGroup.singleton.any())
        let results = await connection.pipeline(commands.map { RedisCommand(words: $0, runs: []) })
        await connection.close()
        return try results.map { try $0.get() }
    }

    /// Runs the workers of these regions beside `body`, and stops them.
    func whileRunning<R>(_ indices: [Int] = [0, 1], _ body: ([RegionWorker]) async throws -> R) async throws -> R {
        // LIVE_LOG=1 shows what the workers say.
        let isLoud = ProcessInfo.processInfo.environment["LIVE_LOG"] != nil
        let workers = indices.map { index in
            RegionWorker(region: regions[index]) { component in
                isLoud
                    ? Logger(label: "\(Self.names[index]) \(component)") { StreamLogHandler.standardError(label: $0) }
                    : Logger(label: component) { _ in SwiftLogNoOpLogHandler() }
            }
        }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in workers { group.addTask { try await worker.run() } }
            let result: Result<R, any Error>
            do { result = .success(try await body(workers)) } catch { result = .failure(error) }
            group.cancelAll()
            while await group.nextResult() != nil {}
            return try result.get()
        }
    }

    /// Changes what PostgreSQL holds until `body` is done: things of every kind come, change, move and go.
    func underLoad(_ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var number = 0
                while !Task.isCancelled {
                    number += 1
                    let id = 1 + number * 37 % 400
                    _ = try? await sql(
                        """
                        DELETE FROM thing WHERE id = \(id) AND id % 5 = 0;
                        INSERT INTO thing VALUES (101, \(10_000 + number % 50), 'new\(number)', 'city1')
                            ON CONFLICT (tenant, id) DO UPDATE SET name = excluded.name;
                        UPDATE thing SET city = 'moved\(number % 3)' WHERE id = \(id)
                        """)
                }
            }
            let result: Result<Void, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            group.cancelAll()
            while await group.nextResult() != nil {}
            try result.get()
        }
    }

    func eventually(
        _ what: String, within time: Duration = .seconds(120), _ condition: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + time
        while try await !condition() {
            guard ContinuousClock.now < deadline else {
                Issue.record("not within \(time): \(what)")
                throw CancellationError()
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Waits until everything that is committed now is in these regions' caches.
    func caughtUp(_ indices: [Int] = [0, 1]) async throws {
        try await eventually("a region has begun to capture") {
            try await !sql("SELECT slot_name FROM pg_replication_slots").isEmpty
        }
        let row = try await sql("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS lsn")
        let history = try await sql("SELECT max(number) AS number FROM regionsync.history")
        let goal = try #require(
            Position(history: try history[0].integer("number"), lsn: try row[0].integer("lsn")))
        // A transaction behind it, so that cursors pass it though nothing else happens.
        try await sql("SELECT pg_logical_emit_message(true, 'test', '')")
        for index in indices {
            try await eventually("\(Self.names[index]) follows") {
                let cursor = try? await redis(index, ["HGET", "rs:{_}:projection", "provisioning"])
                return cursor?[0].string.flatMap { Position($0) }.map { $0 >= goal } ?? false
            }
        }
    }

    func verify(wait: Duration = .seconds(60), repairs: Bool = false) async throws -> VerificationReport {
        try await Verifier(regions: regions, wait: wait, repairs: repairs).run()
    }

    /// Makes the counters of the bucket of an object differ from PostgreSQL's.
    func tamperBucket(of key: String, tenant: String, type: String, region: Int) async throws {
        let field = "\(Bucket.index(ofKey: key.utf8)):d"
        try await redis(region, ["HINCRBY", "rs:{\(tenant)}:digest:\(type)", field, "1"])
    }

    /// The operations in the journal of the region that captures, the last one last, and the fields that tell them apart.
    func journal() async throws -> [[String: String]] {
        let entries = try await redis(0, ["XRANGE", JournalName.provisioning(origin: Self.names[0]).key, "-", "+"])[0]
        return entries.elements.map { entry in
            let words = (entry[1]?.elements).map { $0.map { $0.string ?? "" } } ?? []
            return Dictionary(
                stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) },
                uniquingKeysWith: { first, _ in first })
        }
    }
}
