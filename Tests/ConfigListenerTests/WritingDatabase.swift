import Logging
import PostgresClient
import Projection
import Provisioning
import RESP
import RESPServer
import RegionConfig
import ServerFixtures
import Tenants
import Testing
import Worker

@testable import ConfigListener

/// A migrated PostgreSQL of the test's own, and the commands that write to it as a worker's port does.
struct WritingDatabase: Sendable {
    let server: PostgresServer
    let superuser: PostgresConnection
    let database: PostgresProvisioning
    let catalog: Catalog
    let writes: ConfigWrites

    /// Runs `body` when writes are taken, and stops the server behind it. Tests of faults say what `patience` writes have.
    static func with(
        connections: Int = 4, patience: PostgresProvisioning.Patience = .ample,
        _ body: (WritingDatabase) async throws -> Void
    ) async throws {
        let server = try await PostgresServer.start()
        do {
            try await run(server, connections: connections, patience: patience, body)
        } catch {
            await server.discard()
            throw error
        }
        await server.discard()
    }

    private static func run(
        _ server: PostgresServer, connections: Int, patience: PostgresProvisioning.Patience,
        _ body: (WritingDatabase) async throws -> Void
    ) async throws {
        let superuser = try await PostgresConnection.connect(server.options(user: "postgres"))
        let folder = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/regions"
        let catalog = try RegionFile.load(folder + "/us-east.yaml", environment: [:]).catalog
        try await migrate(superuser, catalog)
        let database = PostgresProvisioning(
            servers: [server.options(user: "regionsync_write")], connections: connections, patience: patience,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let tenants = TenantLookup(store: NoStore(), fixed: [1] + Array(101...200))
        let fixture = WritingDatabase(
            server: server, superuser: superuser, database: database, catalog: catalog,
            writes: ConfigWrites(database: database, tenants: tenants, catalog: catalog))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await database.run() }
            do {
                try await fixture.eventually {
                    guard let first = try? await database.begin() else { return false }
                    await first.rollBack()
                    return true
                }
                try await body(fixture)
            } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
        }
        await superuser.close()
    }

    /// What `regionsync migrate` does.
    private static func migrate(_ connection: PostgresConnection, _ catalog: Catalog) async throws {
        try await connection.withTransaction { transaction in
            try await transaction.query(ProvisioningSchema.prepare)
            for migration in try ProvisioningSchema.pending(after: 0) { try await transaction.query(migration.sql) }
            for statement in SchemaAccess(catalog, publication: "regionsync").statements {
                try await transaction.query(statement)
            }
            try await transaction.query(ProvisioningSchema.firstCapture(by: "us-east"))
        }
    }

    /// The same, written to through a port that knows these tenants.
    func knowing(_ tenants: TenantLookup) -> WritingDatabase {
        WritingDatabase(
            server: server, superuser: superuser, database: database, catalog: catalog,
            writes: ConfigWrites(database: database, tenants: tenants, catalog: catalog))
    }

    /// The same, written to through a port of a region where provisioning is projected so far.
    func projecting(_ progress: ProvisioningProgress) -> WritingDatabase {
        let tenants = TenantLookup(store: NoStore(), fixed: [1] + Array(101...200))
        return WritingDatabase(
            server: server, superuser: superuser, database: database, catalog: catalog,
            writes: ConfigWrites(database: database, tenants: tenants, catalog: catalog, progress: progress))
    }

    // MARK: Talking

    /// Says words, apart at spaces: a `CFG.PUT` or `CFG.DEL`.
    func say(_ line: String, as account: Account = .everywhere) async throws -> Reply {
        let (verb, request) = try Self.read(line)
        return await writes.one(verb, request, for: account)
    }

    /// Says several as one transaction.
    func sayTogether(_ lines: [String], as account: Account = .everywhere) async throws -> Reply {
        await writes.all(try lines.map { try Self.read($0) }, for: account)
    }

    /// Says it and answers the object's ID.
    func id(_ line: String, as account: Account = .everywhere) async throws -> String {
        let reply = try await say(line, as: account)
        return try #require(reply.id, "\(line): \(reply)")
    }

    private static func read(_ line: String) throws -> (verb: ConfigWrites.Verb, request: Request) {
        let words = line.split(separator: " ").map(String.init)
        let verb = try #require(words.first.flatMap { ConfigWrites.Verb(rawValue: $0) })
        return (verb, Request(bytes: words.map { Array($0.utf8) }))
    }

    // MARK: Looking

    /// The first column of every row, NULL as an empty text.
    func texts(_ sql: String) async throws -> [String] {
        try await superuser.query(sql).map { $0[0] ?? "" }
    }

    /// A tenant of the test's own: its dbid.
    func tenant(_ name: String) async throws -> String {
        let sql = "INSERT INTO provisioning.tenant (name) VALUES (\(SQL.literal(name))) RETURNING dbid"
        return try #require(try await texts(sql).first)
    }

    /// Waits until `condition` holds; fails the test when it never does.
    func eventually(
        _ condition: () async throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("it never came true", sourceLocation: sourceLocation)
    }
}

/// One database for all tests of the suite it is put on.
struct SharedDatabase: SuiteTrait, TestScoping {
    @TaskLocal static var current: WritingDatabase?

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await WritingDatabase.with { database in
            try await Self.$current.withValue(database) { try await function() }
        }
    }
}

extension PostgresProvisioning.Patience {
    /// On a busy machine nobody is given up that only is slow.
    static var ample: Self {
        var patience = Self()
        (patience.turn, patience.answer) = (.seconds(60), .seconds(60))
        (patience.lock, patience.statement) = (.seconds(60), .seconds(120))
        return patience
    }

    /// Locks are waited for less long.
    static var ampleButForLocks: Self {
        var patience = ample
        patience.lock = .seconds(1)
        return patience
    }
}

extension PostgresServer {
    nonisolated func options(user: String) -> PostgresOptions {
        var options = PostgresOptions(host: host, port: port, database: "postgres", user: user)
        options.connectTimeout = .seconds(60)
        return options
    }
}

extension Account {
    static let everywhere = Account(name: "gws", permissions: [.read, .write], tenants: .all)

    static func of(_ tenant: String) -> Account {
        Account(name: "tenant-\(tenant)", permissions: [.read, .write], tenants: .some(Set([Int64(tenant) ?? 0])))
    }
}

extension Reply {
    func value(_ key: String) -> Reply? {
        guard case .map(let pairs) = self else { return nil }
        return pairs.first { $0.key == .text(key) }?.value
    }

    var id: String? { text("id") }
    var token: String? { text("token") }

    private func text(_ key: String) -> String? {
        if case .text(let text)? = value(key) { text } else { nil }
    }

    /// Code and message; empty of what is no error.
    var refusal: String {
        if case .error(let error) = self { error.description } else { "" }
    }
}

/// A Redis that knows of no tenant.
struct NoStore: ProjectionStore {
    func send(_ commands: [RedisCommand]) async -> SentCommands {
        let count = commands.count
        return SentCommands { Array(repeating: .success(.array([])), count: count) }
    }
}
