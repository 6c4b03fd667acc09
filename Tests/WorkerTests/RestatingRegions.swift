import Foundation
import Journal
import NIOPosix
import Observability
import RESP
import RedisClient
import ServerFixtures
import Testing

/// Regions as they run: a Redis and a worker process each, tenants 7 and 8, no PostgreSQL in reach. Journals keep no
/// entry that every reader has for longer than a second or so.
struct RestatingRegions: Sendable {
    static let names = ["us-east", "eu-west", "ap-south"]
    static let tenants = ["7", "8"]

    let clients: [RedisConnection]
    private let servers: [RedisServer]
    private let folder: URL
    private let postgresPort: Int

    static func with(_ count: Int, _ body: (RestatingRegions) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "regionsync-restate-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var servers: [RedisServer] = []
        let result: Result<Void, any Error>
        do {
            for _ in 0..<count { servers.append(try await .start()) }
            let regions = try await RestatingRegions(servers: servers, folder: folder)
            try await body(regions)
            for client in regions.clients { await client.close() }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        for server in servers { await server.discard() }
        try result.get()
    }

    private init(servers: [RedisServer], folder: URL) async throws {
        self.servers = servers
        self.folder = folder
        postgresPort = try freePort()
        var clients: [RedisConnection] = []
        for server in servers {
            clients.append(
                try await RedisConnection.connect(
                    to: server.patientEndpoint, name: "test", on: MultiThreadedEventLoopGroup.singleton.any()))
        }
        self.clients = clients
    }

    /// Starts a worker of a region that knows `count` regions, itself included.
    func startWorker(of region: Int, among count: Int, crashAt point: String? = nil) throws -> WorkerProcess {
        let peers = (0..<count).filter { $0 != region }.map {
            "{region: \(Self.names[$0]), redis: {host: 127.0.0.1, port: \(servers[$0].port)}}"
        }
        let name = "\(Self.names[region])-\(UUID().uuidString)"
        let file = folder.appending(path: "\(name).yaml")
        let text = """
            region: \(Self.names[region])
            redis: {host: 127.0.0.1, port: \(servers[region].port)}
            peers: [\(peers.joined(separator: ", "))]
            postgres: {host: 127.0.0.1, port: \(postgresPort), database: d, user: u}
            tenants: [\(Self.tenants.joined(separator: ", "))]
            retention: {minimum: 1s}
            catalog: [{table: public.thing, type: thing, key: [id], tenant: tenant}]
            """
        try Data(text.utf8).write(to: file)
        let environment = point.map { ["REGIONSYNC_CRASH_AT": $0] } ?? [:]
        return try WorkerProcess(name, region: file.path, environment: environment, folder: folder)
    }

    // MARK: Traffic

    static func journal(_ region: Int, _ tenant: String) -> JournalName {
        .voice(tenant: tenant, origin: names[region])
    }

    /// Writes events as a front end does.
    func write(_ events: [(event: String, key: String, dn: String)], in region: Int, tenant: String) async throws {
        let commands = events.map { event, key, dn in
            let owner = event.hasPrefix("Agent") ? "AgentID" : "ConnID"
            return RedisCommand(
                "XADD", Self.journal(region, tenant).key, "*", "event", "Event" + event, "key", key, "data",
                #"{"ThisDN":"\#(dn)","\#(owner)":"\#(key)","time":5,"UserData":{"of":"\#(key)"}}"#)
        }
        for result in await clients[region].pipeline(commands) { _ = try result.get() }
    }

    /// So many calls with two parties each, and a tenth as many agents, a few of whom log out again.
    func begin(_ calls: Int, in region: Int, tenant: String) async throws {
        let name = Self.names[region]
        for number in 0..<calls {
            try await write(
                [
                    ("Ringing", "\(name)-\(number)", "100"), ("Established", "\(name)-\(number)", "100"),
                    ("Ringing", "\(name)-\(number)", "200"),
                ], in: region, tenant: tenant)
        }
        for number in 0..<calls / 10 {
            let agent = "\(name)-\(number)"
            try await write(
                [("AgentLogin", agent, "1"), ("AgentReady", agent, "1")]
                    + (number % 4 == 0 ? [("AgentLogout", agent, "1")] : []), in: region, tenant: tenant)
        }
    }

    /// Calls that were begun are held, retrieved and answered, and others come and go, until cancelled.
    func load(in region: Int, tenant: String, calls: Int) async throws {
        let name = Self.names[region]
        var number = 0
        while !Task.isCancelled {
            let (known, other) = ("\(name)-\(number % calls)", "\(name)-other-\(number)")
            try await write(
                [
                    (number / calls % 2 == 0 ? "Held" : "Retrieved", known, "100"), ("Ringing", other, "300"),
                    (number < calls ? "Established" : "AttachedDataChanged", known, "200"), ("Released", other, "300"),
                    ("Ringing", "\(name)-new-\(number / 8)", "\(number)"),
                ], in: region, tenant: tenant)
            number += 1
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    // MARK: Looking

    /// Calls that live, and agents, in a region's state; by key, with the set of those calls under its own.
    func state(of region: Int) async throws -> [String: [String: String]] {
        var state: [String: [String: String]] = [:]
        for pattern in ["call:*", "agent:*"] {
            let keys: RedisReply = try await clients[region].send(RedisCommand("KEYS", pattern))
            for key in keys.elements.compactMap(\.string) {
                let record: RedisReply = try await clients[region].send(RedisCommand("HGETALL", key))
                let words = record.elements.map { $0.string ?? "" }
                var fields: [String: String] = [:]
                for index in stride(from: 0, to: words.count - 1, by: 2) { fields[words[index]] = words[index + 1] }
                if fields["endedAt"] == nil, !fields.isEmpty { state[key] = fields }
            }
        }
        for tenant in Self.tenants {
            let active: RedisReply = try await clients[region].send(
                RedisCommand("SMEMBERS", "calls:{\(tenant)}:active"))
            state["active \(tenant)"] = Dictionary(
                uniqueKeysWithValues: active.elements.compactMap(\.string).map { ($0, "") })
        }
        return state
    }

    /// Waits until the state of these regions is the same.
    func untilEqual(_ regions: [Int]) async throws {
        try await until("the state of \(regions) is equal") {
            let first = try await state(of: regions[0])
            for region in regions.dropFirst() where try await state(of: region) != first { return false }
            return true
        }
    }

    /// Waits until next to nothing is left of what a region has written.
    func untilTrimmed(_ region: Int) async throws {
        try await until("journals are trimmed") {
            for tenant in Self.tenants {
                let key = Self.journal(region, tenant).key
                let (length, floor) = (
                    try await clients[region].send(RedisCommand("XLEN", key)) as RedisReply,
                    try await clients[region].send(RedisCommand("HGET", key + ":meta", "floor")) as RedisReply
                )
                guard length.integer ?? 0 < 2, floor.string ?? "0-0" != "0-0" else { return false }
            }
            return true
        }
    }

    /// Whether calls and agents keep a worker from being ready, or that it has not begun its work yet, or anew; nil while it
    /// does not answer.
    func awaitsVoice(_ worker: WorkerProcess) async -> Bool? {
        await worker.status().map { status in
            status.waitingFor.contains { !$0.hasPrefix("projection provisioning") }
        }
    }

    /// Waits until `condition` holds, at most about a minute and a half.
    func until(_ what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(90)
        while try await !condition() {
            try #require(ContinuousClock.now < deadline, "in vain: \(what)")
            try await Task.sleep(for: .milliseconds(30))
        }
    }
}
