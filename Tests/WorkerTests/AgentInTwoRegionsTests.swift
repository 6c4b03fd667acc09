import Journal
import Logging
import NIOPosix
import RESP
import RedisClient
import RegionConfig
import ServerFixtures
import Testing
import Worker

/// Two regions as they run: a Redis and workers each, tenant 7, no PostgreSQL in reach.
private struct WorkingRegions {
    static let names = ["us-east", "eu-west"]

    let servers: [RedisServer]
    let clients: [RedisConnection]
    private let regions: [Region]

    static func with(_ body: (WorkingRegions) async throws -> Void) async throws {
        try await RedisServer.with { east in
            try await RedisServer.with { west in
                let regions = try await WorkingRegions(servers: [east, west])
                try await body(regions)
                for client in regions.clients { await client.close() }
            }
        }
    }

    private init(servers: [RedisServer]) async throws {
        self.servers = servers
        var clients: [RedisConnection] = []
        for server in servers {
            clients.append(
                try await RedisConnection.connect(
                    to: server.patientEndpoint, name: "test", on: MultiThreadedEventLoopGroup.singleton.any()))
        }
        self.clients = clients
        let postgresPort = try freePort()
        regions = try [0, 1].map { own in
            let peer = 1 - own
            return try RegionFile.parse(
                """
                region: \(Self.names[own])
                redis: {host: 127.0.0.1, port: \(servers[own].port)}
                peers: [{region: \(Self.names[peer]), redis: {host: 127.0.0.1, port: \(servers[peer].port)}}]
                postgres: {host: 127.0.0.1, port: \(postgresPort), database: d, user: u}
                tenants: [7]
                catalog: [{table: public.thing, type: thing, key: [id], tenant: tenant}]
                """, file: "test.yaml", surroundings: Surroundings(environment: [:]) { _ in "" })
        }
    }

    /// Another worker of a region.
    func startWorker(of region: Int) -> Task<Void, Never> {
        let worker = RegionWorker(region: regions[region]) { _ in
            Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        }
        return Task { try? await worker.run() }
    }

    func journal(_ region: Int) -> JournalName { .voice(tenant: "7", origin: Self.names[region]) }

    /// An agent's login as a region's front end writes it; later than any before.
    func logIn(_ agent: String, at region: Int, dn: Int) async throws {
        try await Task.sleep(for: .milliseconds(2))  // entry IDs of two servers tell milliseconds apart
        _ = try await clients[region].send(
            RedisCommand(
                "XADD", journal(region).key, "*", "event", "EventAgentLogin", "key", agent, "data",
                #"{"AgentID":"\#(agent)","ThisDN":"\#(dn)"}"#))
    }

    /// The agents of the Logouts in a region's own journal.
    func logouts(in region: Int) async throws -> [String] {
        let entries = try await clients[region].send(RedisCommand("XRANGE", journal(region).key, "-", "+"))
        return entries.elements.compactMap { entry in
            let words = entry[1]?.elements.map { $0.string ?? "" } ?? []
            return words.count == 6 && words[1] == "EventAgentLogout" ? words[3] : nil
        }.sorted()
    }

    /// The region that a region's state gives an agent, and how many sessions there are.
    func agent(_ agent: String, in region: Int) async throws -> String {
        let record = try await clients[region].send(RedisCommand("HGETALL", "agent:{7}:\(agent)"))
        let words = record.elements.map { $0.string ?? "" }
        let sessions = words.filter { $0.hasPrefix("session:") }.count
        return "\(words.firstIndex(of: "region").map { words[$0 + 1] } ?? "none") \(sessions)"
    }

    func contents(of journal: JournalName, in region: Int) async throws -> String {
        try await clients[region].send(RedisCommand("XRANGE", journal.key, "-", "+")).description
    }

    /// Waits until `condition` holds, at most about a minute.
    func until(_ what: String, _ condition: () async throws -> Bool) async throws {
        for _ in 0..<3000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("in vain: \(what)")
    }
}

@Suite("An agent who logs in in two regions", .serialized)
struct AgentInTwoRegionsTests {
    @Test("is logged out in the one that lost, once in all, whoever of the workers stops or begins meanwhile")
    func loggedOutOnce() async throws {
        try await WorkingRegions.with { regions in
            var workers = [0, 1, 0, 1].map { ($0, regions.startWorker(of: $0)) }
            var stopped: [Task<Void, Never>] = []
            var lost: [[String]] = [[], []]
            var winners: [String: Int] = [:]
            for number in 0..<24 {
                let agent = "a\(number)"
                var region = number % 2
                try await regions.logIn(agent, at: region, dn: number)
                for turn in 0...number % 3 {
                    lost[region].append(agent)
                    region = 1 - region
                    try await regions.logIn(agent, at: region, dn: 100 * (turn + 1) + number)
                }
                winners[agent] = region
                guard number % 3 == 2 else { continue }
                let next = number / 3 % workers.count
                workers[next].1.cancel()
                stopped.append(workers[next].1)
                workers[next].1 = regions.startWorker(of: workers[next].0)
            }
            for (agent, winner) in winners {
                for region in [0, 1] {
                    try await regions.until("\(agent) in \(WorkingRegions.names[region])") {
                        try await regions.agent(agent, in: region) == "\(WorkingRegions.names[winner]) 1"
                    }
                }
            }
            // A region that knows only one of an agent's logins yet looks as one that knows how it ended.
            for region in [0, 1] {
                try await regions.until("all are logged out in \(WorkingRegions.names[region]), and the other knows") {
                    let journal = regions.journal(region)
                    let own = try await regions.contents(of: journal, in: region)
                    let copy = try await regions.contents(of: journal, in: 1 - region)
                    return try await regions.logouts(in: region).count >= lost[region].count && own == copy
                }
            }
            for worker in stopped + workers.map(\.1) {
                worker.cancel()
                await worker.value
            }
            for region in [0, 1] { #expect(try await regions.logouts(in: region) == lost[region].sorted()) }
        }
    }

    @Test("while the losing region has no worker is logged out when one begins")
    func loggedOutLater() async throws {
        try await WorkingRegions.with { regions in
            try await regions.logIn("a", at: 0, dn: 1)
            let first = regions.startWorker(of: 0)
            try await regions.until("mirrored") {
                try await regions.clients[1].send(RedisCommand("EXISTS", regions.journal(0).key)).integer == 1
            }
            first.cancel()
            await first.value
            try await regions.logIn("a", at: 1, dn: 2)
            let other = regions.startWorker(of: 1)
            try await regions.until("known to the winner") { try await regions.agent("a", in: 1) == "eu-west 2" }
            for region in [0, 1] { #expect(try await regions.logouts(in: region) == []) }
            let second = regions.startWorker(of: 0)
            for region in [0, 1] {
                try await regions.until("over in \(region)") { try await regions.agent("a", in: region) == "eu-west 1" }
            }
            for worker in [other, second] {
                worker.cancel()
                await worker.value
            }
            #expect(try await regions.logouts(in: 0) == ["a"])
            #expect(try await regions.logouts(in: 1) == [])
        }
    }
}
