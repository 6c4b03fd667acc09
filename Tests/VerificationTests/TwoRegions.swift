import Foundation
import Journal
import NIOCore
import NIOPosix
import PostgresClient
import Provisioning
import RESP
import RedisClient
import RegionConfig
import ServerFixtures
import Testing
import Verification

/// A PostgreSQL with two small tables, two Redis with the caches that belong to it, and region files for both.
struct TwoRegions {
    let postgres: PostgresServer
    let servers: [RedisServer]
    let regions: [Region]
    let database: PostgresConnection
    let clients: [RedisConnection]
    let folder: URL

    static let names = ["east", "west"]
    static let tenants = ["101", "102"]

    static func run(_ body: (TwoRegions) async throws -> Void) async throws {
        let regions = try await TwoRegions()
        do {
            try await regions.createTables()
            try await regions.fillCaches()
            try await body(regions)
        } catch {
            await regions.discard()
            throw error
        }
        await regions.discard()
    }

    private init() async throws {
        postgres = try await PostgresServer.start()
        servers = [try await RedisServer.start(), try await RedisServer.start()]
        folder = FileManager.default.temporaryDirectory.appending(path: "regionsync-verify-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var regions: [Region] = []
        var clients: [RedisConnection] = []
        for (name, server) in zip(Self.names, servers) {
            let path = folder.appending(path: "\(name).yaml").path
            try Data(Self.regionFile(name, servers, postgres).utf8).write(to: URL(filePath: path))
            regions.append(try RegionFile.load(path, environment: [:]))
            clients.append(
                try await RedisConnection.connect(
                    to: RedisEndpoint(host: server.host, port: server.port, connectTimeout: .seconds(30)), name: "test",
                    on: MultiThreadedEventLoopGroup.singleton.any()))
        }
        self.regions = regions
        self.clients = clients
        database = try await PostgresConnection.connect(
            PostgresOptions(host: postgres.host, port: postgres.port, database: "postgres", user: "postgres"))
    }

    private func discard() async {
        for client in clients { await client.close() }
        await database.close()
        for server in servers { await server.discard() }
        await postgres.discard()
        try? FileManager.default.removeItem(at: folder)
    }

    static func regionFile(_ name: String, _ servers: [RedisServer], _ postgres: PostgresServer) -> String {
        let (own, peer) = name == names[0] ? (servers[0], servers[1]) : (servers[1], servers[0])
        return """
            region: \(name)
            redis: {host: \(own.host), port: \(own.port)}
            peers: [{region: \(name == names[0] ? names[1] : names[0]), redis: {host: \(peer.host), port: \(peer.port)}}]
            postgres: {host: \(postgres.host), port: \(postgres.port), database: postgres, user: postgres}
            catalog:
              - {table: public.thing, type: thing, key: [id], tenant: tenant, omit: [secret],
                 indexes: [{field: name, unique: true}, {field: city}]}
              - {table: public.bond, type: bond, key: [left_id, right_id], tenant: tenant}
            """
    }

    // MARK: Provisioning

    private func createTables() async throws {
        try await database.query(
            """
            CREATE TABLE thing (tenant bigint NOT NULL, id bigint NOT NULL, name text, city text, secret text,
                good boolean, UNIQUE (tenant, id));
            CREATE TABLE bond (tenant bigint NOT NULL, left_id bigint NOT NULL, right_id text NOT NULL,
                UNIQUE (tenant, left_id, right_id));
            ALTER TABLE thing REPLICA IDENTITY USING INDEX thing_tenant_id_key;
            CREATE PUBLICATION regionsync FOR TABLE thing (tenant, id, name, city, good), bond;
            INSERT INTO thing
                SELECT 101 + n % 2, n, 'thing' || n, CASE WHEN n % 3 > 0 THEN 'city' || n % 7 END, 'secret', n % 5 = 0
                FROM generate_series(1, 300) AS n;
            UPDATE thing SET name = E'tab\\tquote"back\\\\slash\\nline ü' WHERE id = 7;
            UPDATE thing SET city = '' WHERE id = 8;
            INSERT INTO bond SELECT 101, n, 'a,b' || n FROM generate_series(1, 20) AS n;
            """)
    }

    /// Writes both caches anew, in the shape the projection gives them.
    func fillCaches() async throws {
        for client in clients {
            _ = try await client.send(RedisCommand("FLUSHALL"))
            _ = try await client.send(RedisCommand(words: ["SADD", tenantsKey] + Self.tenants, runs: []))
        }
        for table in regions[0].catalog.tables {
            let columns = table.type == "thing" ? "tenant, id, name, city, good" : "tenant, left_id, right_id"
            let rows = try await database.query("SELECT \(columns) FROM \(table.table.name)")
            try await fill(table, rows)
        }
    }

    private func fill(_ table: CatalogTable, _ rows: PostgresRows) async throws {
        var digester = Digester()
        var commands: [RedisCommand] = []
        var buckets: [String: [Int: BucketDigest]] = [:]
        for row in rows {
            let values = rows.columns.indices.map { (name: rows.columns[$0], value: row[$0]) }
            let id = ObjectKey.text(try table.key.map { try row.string($0) })
            let tenant = try row.string(table.tenant)
            let base = "cfg:{\(tenant)}:\(table.type)"
            let digest = digester.digest(key: id, columns: values)
            let fields = values.flatMap { column in column.value.map { [column.name, $0] } ?? [] }
            commands.append(
                RedisCommand(words: ["HSET", "\(base):\(id)", "_v", "9", "_d", "\(digest.value)"] + fields, runs: []))
            commands.append(RedisCommand("SADD", base, id))
            for index in table.indexes {
                guard let value = try row.optionalString(index.field) else { continue }
                commands.append(
                    index.unique
                        ? RedisCommand("HSET", "\(base):by:\(index.field)", value, id)
                        : RedisCommand("SADD", "\(base):by:\(index.field):\(value)", id))
            }
            buckets[tenant, default: [:]][Bucket.index(ofKey: id.utf8), default: BucketDigest()].insert(digest)
        }
        for (tenant, digests) in buckets {
            for (bucket, digest) in digests {
                commands.append(
                    RedisCommand(
                        "HSET", "rs:{\(tenant)}:digest:\(table.type)", "\(bucket):n", "\(digest.count)",
                        "\(bucket):d", "\(digest.sum)"))
            }
        }
        for client in clients { for result in await client.pipeline(commands) { _ = try result.get() } }
    }

    // MARK: Doing

    /// Runs commands on the Redis of region `index`.
    @discardableResult
    func redis(_ index: Int, _ commands: [String]...) async throws -> [RedisReply] {
        try await clients[index].pipeline(commands.map { RedisCommand(words: $0, runs: []) }).map { try $0.get() }
    }

    func verify(
        ledger: String? = nil, wait: Duration = .zero, allowsTrimmed: Bool = false
    ) async throws -> VerificationReport {
        try await Verifier(regions: regions, ledgerFolder: ledger, wait: wait, allowsTrimmed: allowsTrimmed).run()
    }
}
