import Foundation
import Generator
import NIOPosix
import PostgresClient
import Provisioning
import RESP
import RedisClient
import RegionConfig
import ServerFixtures
import Testing

/// Two regions' Redis and one PostgreSQL of the test's own, the schema migrated as `regionsync migrate` does.
struct TestRegions: Sendable {
    let names = ["us-east", "eu-west"]
    let redis: [RedisServer]
    let postgres: PostgresServer
    let regions: [Region]
    let folder: URL

    /// Runs `body` beside fresh servers and ends them behind it.
    static func with(
        redisSettings: [String] = [], migrates: Bool = true, _ body: (TestRegions) async throws -> Void
    ) async throws {
        let postgres = try await PostgresServer.start()
        var redis: [RedisServer] = []
        let folder = FileManager.default.temporaryDirectory.appending(path: "regionsync-generator-\(UUID().uuidString)")
        do {
            for _ in 0..<2 { redis.append(try await RedisServer.start(settings: redisSettings)) }
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let regions = try TestRegions(redis: redis, postgres: postgres, folder: folder)
            if migrates { try await regions.migrate() }
            try await body(regions)
        } catch {
            await discard(postgres, redis, folder)
            throw error
        }
        await discard(postgres, redis, folder)
    }

    private static func discard(_ postgres: PostgresServer, _ redis: [RedisServer], _ folder: URL) async {
        await postgres.discard()
        for server in redis { await server.discard() }
        try? FileManager.default.removeItem(at: folder)
    }

    private init(redis: [RedisServer], postgres: PostgresServer, folder: URL) throws {
        self.redis = redis
        self.postgres = postgres
        self.folder = folder
        let shipped = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/regions"
        regions = try zip(names, redis).map { name, server in
            try RegionFile.load(
                "\(shipped)/\(name).yaml",
                environment: [
                    "REGIONSYNC_REDIS_PORT": "\(server.port)",
                    "REGIONSYNC_POSTGRES_PORT": "\(postgres.port)", "REGIONSYNC_POSTGRES_DATABASE": "postgres",
                ])
        }
    }

    /// Small tenants, the role that `migrate` makes for writers, and a ledger.
    var settings: GeneratorSettings {
        var settings = GeneratorSettings(regions: regions)
        settings.persons = 60
        settings.postgresUser = "regionsync_write"
        settings.ledgerFolder = folder.path
        settings.reportPath = reportURL.path
        return settings
    }

    private var reportURL: URL { folder.appending(path: "report.json") }

    /// The generator's newest report, once there is one that `matches`.
    @discardableResult
    func report(_ matches: (GeneratorReport) -> Bool = { _ in true }) async throws -> GeneratorReport {
        let deadline = ContinuousClock.now + .seconds(60)
        var report: GeneratorReport?
        while ContinuousClock.now < deadline {
            if let data = try? Data(contentsOf: reportURL) {
                report = try JSONDecoder().decode(GeneratorReport.self, from: data)
                if let report, matches(report) { return report }
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        return try #require(nil as GeneratorReport?, "\(report.map { "\($0)" } ?? "no report")")
    }

    /// Sends a command to the first region's Redis.
    func redisCommand(_ words: String...) async throws {
        let connection = try await RedisConnection.connect(
            to: RedisEndpoint(host: redis[0].host, port: redis[0].port, connectTimeout: .seconds(30)), name: "test",
            on: MultiThreadedEventLoopGroup.singleton.next())
        _ = try await connection.send(RedisCommand(words))
        await connection.close()
    }

    func connectToPostgres(as user: String = "postgres") async throws -> PostgresConnection {
        try await .connect(
            PostgresOptions(host: postgres.host, port: postgres.port, database: "postgres", user: user))
    }

    private func migrate() async throws {
        let connection = try await connectToPostgres()
        try await connection.withTransaction { transaction in
            try await transaction.query(ProvisioningSchema.prepare)
            for migration in try ProvisioningSchema.pending(after: 0) { try await transaction.query(migration.sql) }
            for statement in SchemaAccess(regions[0].catalog, publication: "regionsync").statements {
                try await transaction.query(statement)
            }
        }
        await connection.close()
    }
}
