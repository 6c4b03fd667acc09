import Foundation
import Journal
import NIOPosix
import Observability
import PostgresClient
import RESP
import RedisClient
import ServerFixtures
import Testing

/// Workers of region us-east as processes, its servers, the Redis of eu-west, and traffic.
struct WorkerRegion: Sendable {
    static let voice = JournalName.voice(tenant: "101", origin: "us-east")
    static let provisioning = JournalName.provisioning(origin: "us-east")

    let postgres: PostgresServer
    private(set) var east: RedisConnection
    let west: RedisConnection
    /// What workers find in it beside the test's own variables.
    var environment: [String: String]
    let folder: URL
    /// The Redis of us-east.
    let server: RedisServer

    static let file =
        #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/regions/us-east.yaml"

    /// `settings` are lines of redis.conf for both Redis.
    static func with(settings: [String] = [], _ body: (WorkerRegion) async throws -> Void) async throws {
        let postgres = try await PostgresServer.start()
        let folder = FileManager.default.temporaryDirectory.appending(path: "regionsync-region-\(UUID().uuidString)")
        let result: Result<Void, any Error>
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try await RedisServer.with(settings: settings) { east in
                try await RedisServer.with(settings: settings) { west in
                    let region = try await WorkerRegion(postgres, east, west, folder)
                    try await WorkerProcess.run(
                        ["migrate", "--region", file, "--postgres-user", "postgres"],
                        environment: region.environment, folder: folder)
                    try await region.sql("INSERT INTO provisioning.tenant (name) VALUES ('one')")
                    try await body(region)
                    for client in [region.east, region.west] { await client.close() }
                }
            }
            result = .success(())
        } catch { result = .failure(error) }
        await postgres.discard()
        try? FileManager.default.removeItem(at: folder)
        try result.get()
    }

    private init(_ postgres: PostgresServer, _ east: RedisServer, _ west: RedisServer, _ folder: URL) async throws {
        self.postgres = postgres
        self.folder = folder
        server = east
        environment = [
            "REGIONSYNC_REDIS_PORT": "\(east.port)", "REGIONSYNC_PEERS_EU_WEST_REDIS_PORT": "\(west.port)",
            "REGIONSYNC_POSTGRES_PORT": "\(postgres.port)", "REGIONSYNC_POSTGRES_DATABASE": "postgres",
        ]
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        self.east = try await .connect(to: east.patientEndpoint, name: "test", on: loop)
        self.west = try await .connect(to: west.patientEndpoint, name: "test", on: loop)
    }

    /// Kills the Redis of us-east and starts it again with its append-only file cut at `end` and these commands behind; no
    /// worker may run. The region is used through what this gives.
    func restarted(cutAt end: UInt64, adding commands: [[String]] = []) async throws -> WorkerRegion {
        await east.close()
        try await server.restart(cutAt: end, adding: commands)
        var region = self
        region.east = try await .connect(
            to: server.patientEndpoint, name: "test", on: MultiThreadedEventLoopGroup.singleton.any())
        return region
    }

    /// Runs `body` with two workers, the first of which holds the lease while the second stands by.
    func withWorkers(_ body: (_ first: WorkerProcess, _ second: WorkerProcess) async throws -> Void) async throws {
        let first = try WorkerProcess("first", region: Self.file, environment: environment, folder: folder)
        defer { first.kill() }
        try await until("the first works") {
            var states: [String: String] = [:]
            for report in await first.status()?.components ?? [] { states[report.component] = report.state.name }
            return states["lease"] == "holding" && states["mirror eu-west"] == "streaming"
                && states["capture"] == "streaming"
        }
        let second = try WorkerProcess("second", region: Self.file, environment: environment, folder: folder)
        defer { second.kill() }
        let (holder, other) = try await roles(first, second)
        try await body(holder, other)
    }

    /// Which of two workers holds the lease, and which stands by: a busy machine may have had them change.
    func roles(
        _ one: WorkerProcess, _ other: WorkerProcess
    ) async throws -> (holder: WorkerProcess, other: WorkerProcess) {
        var isHolder = true
        try await until("one holds the lease, the other stands by") {
            let states = (await one.state(of: "lease")?.name, await other.state(of: "lease")?.name)
            isHolder = states.0 == "holding"
            return (isHolder ? states.1 : states.0) == "standby" && (isHolder || states.1 == "holding")
        }
        return isHolder ? (holder: one, other: other) : (holder: other, other: one)
    }

    /// As its superuser; a busy machine is no failure of ours.
    var postgresOptions: PostgresOptions {
        var options = PostgresOptions(
            host: postgres.host, port: postgres.port, database: "postgres", user: "postgres")
        options.connectTimeout = .seconds(60)
        return options
    }

    @discardableResult
    func sql(_ statement: String) async throws -> PostgresRows {
        let connection = try await PostgresConnection.connect(postgresOptions)
        do {
            let rows = try await connection.query(statement, timeout: .seconds(120))
            await connection.close()
            return rows
        } catch {
            await connection.close()
            throw error
        }
    }

    /// Calls that ring and end, rows of PostgreSQL and heartbeats of the peer, until cancelled. Hands out the IDs of events
    /// as they are acknowledged; what was not would be an error. Two loads of one region need labels.
    func load(_ label: String = "", _ acknowledged: @Sendable ([String]) -> Void = { _ in }) async throws {
        var number = 0
        while !Task.isCancelled {
            let commands = (0..<20).flatMap { index in
                ["EventRinging", "EventReleased"].map { event in
                    RedisCommand(
                        "XADD", Self.voice.key, "*", "event", event, "key", "\(label)\(number)-\(index)",
                        "data", #"{"ThisDN":"1","ConnID":"\#(label)\#(number)-\#(index)","CallType":2}"#)
                }
            }
            acknowledged(try await east.pipeline(commands).compactMap { try $0.get().string })
            let control = JournalName.control(origin: "eu-west").key
            _ = try await east.send(RedisCommand("XADD", control, "*", "event", "probe", "to", "us-east"))
            if number % 10 == 0 {
                do {
                    let name = "\(label)skill \(number)"
                    try await sql("INSERT INTO provisioning.skill (tenant_dbid, name) VALUES (101, '\(name)')")
                } catch  where Task.isCancelled {
                    return
                }
            }
            number += 1
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Waits until an event and a row that are written now have gone all the way: to the peer, and into the cache.
    func flows(_ label: String) async throws {
        try await sql("INSERT INTO provisioning.skill (tenant_dbid, name) VALUES (101, '\(label)')")
        let data = #"{"ThisDN":"1","ConnID":"\#(label)","CallType":2}"#
        let command = RedisCommand(
            "XADD", Self.voice.key, "*", "event", "EventRinging", "key", label, "data", data)
        let id = try #require(try await east.send(command).string)
        try await until("\(label) mirrored") {
            let found: RedisReply = try await west.send(RedisCommand("XRANGE", Self.voice.key, id, id))
            return found.count == 1
        }
        try await until("\(label) projected") {
            let call = try await east.send(RedisCommand("SISMEMBER", "calls:{101}:active", label))
            let row = try await east.send(RedisCommand("HEXISTS", "cfg:{101}:skill:by:name", label))
            return call.integer == 1 && row.integer == 1
        }
    }

    /// Waits until everything has arrived; then copies must be exact, and the cache what PostgreSQL holds. Where journals
    /// were `trimmed` the copy has more than the journal.
    func expectInStep(trimmed: Bool = false) async throws {
        for journal in [Self.voice, Self.provisioning] {
            try await until("the copy of \(journal) is complete") {
                try await last(of: journal, on: east) == last(of: journal, on: west)
            }
            let command = RedisCommand("XRANGE", journal.key, "-", "+")
            let source = try await east.send(command).elements.map(\.description)
            let copy = try await west.send(command).elements.map(\.description)
            #expect(copy.suffix(source.count) == source[...], "\(journal) differs")
            #expect(source.count > 0 && (trimmed || source.count == copy.count))
        }
        let names = try await sql("SELECT name FROM provisioning.skill").map { try $0.string("name") }
        try await until("the cache holds \(names.count) skills") {
            try await east.send(RedisCommand("HLEN", "cfg:{101}:skill:by:name")).integer == Int64(names.count)
        }
        let commits = try await west.send(RedisCommand("XRANGE", Self.provisioning.key, "-", "+")).elements
            .filter { $0[1]?[1]?.string == "commit" }.compactMap { $0[0]?.string }
        #expect(Set(commits).count == commits.count)
        try await until("every call is projected") {
            let cursor = try await east.send(RedisCommand("HGET", "rs:{101}:projection", "voice:us-east"))
            let last = try await last(of: Self.voice, on: east)
            return cursor.string == last
        }
        #expect(try await east.send(RedisCommand("SCARD", "rs:{101}:quarantine")).integer == 0)
    }

    func last(of journal: JournalName, on client: RedisConnection) async throws -> String? {
        try await client.send(RedisCommand("XREVRANGE", journal.key, "+", "-", "COUNT", "1"))[0]?[0]?.string
    }

    /// Waits until `condition` holds, at most about a minute and a half.
    func until(_ what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(90)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        try #require(Bool(false), "in vain: \(what)")
    }
}
