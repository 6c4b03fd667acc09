import Journal
import Logging
import Mirror
import NIOCore
import NIOPosix
import Observability
import RESP
import RedisClient
import ServerFixtures
import Synchronization
import Testing
import Worker

/// Keeps what was logged.
final class LogLines: Sendable {
    private let text = Mutex("")

    func append(_ line: [UInt8]) { text.withLock { $0 += String(decoding: line, as: UTF8.self) } }

    /// How many lines have this message.
    func count(_ message: String) -> Int {
        text.withLock { $0 }.split(separator: "\n").count { $0.contains("msg=\"\(message)\"") }
    }

    /// How many lines of this level have it.
    func count(_ message: String, at level: String) -> Int {
        text.withLock { $0 }.split(separator: "\n").count {
            $0.contains("level=\(level) ") && $0.contains("msg=\"\(message)\"")
        }
    }
}

/// Two real Redis servers and a link from the first to the second.
struct TwoRegions {
    let east: RedisServer
    let west: RedisServer
    let states = ComponentStates()
    let metrics = MetricsRegistry()
    let log = LogLines()
    let link: MirrorLink

    static let journal = JournalName.voice(tenant: "101", origin: "east")

    /// Without `journals` the link is told of some, and that these are all, by the test. `captured` is what the first
    /// region says of capture. The link gives up no server that is silent, only one that hangs up: what a busy machine makes
    /// late is no loss, and no answer goes lost with it.
    static func run(
        settings: [String] = [], mirroring journals: [JournalName] = [journal, .control(origin: "east")],
        captured: @escaping @Sendable () -> Position? = { nil }, _ body: (TwoRegions) async throws -> Void
    ) async throws {
        try await RedisServer.with(settings: settings) { east in
            try await RedisServer.with(settings: settings) { west in
                let regions = TwoRegions(east: east, west: west, captured: captured)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    defer { group.cancelAll() }
                    group.addTask { await regions.link.run() }
                    await regions.link.mirror(journals, areAll: !journals.isEmpty)
                    try await body(regions)
                }
            }
        }
    }

    private init(east: RedisServer, west: RedisServer, captured: @escaping @Sendable () -> Position?) {
        self.east = east
        self.west = west
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        link = MirrorLink(
            settings: MirrorSettings(region: "east", peer: "west", windowBytes: 1 << 20),
            connector: RedisMirrorConnector(
                region: "east", local: east.patientEndpoint, remote: west.patientEndpoint, eventLoop: loop),
            report: MirrorReport(
                peer: "west", states: states, metrics: metrics,
                logger: LogOutput(format: .logfmt, level: .info, write: { [log] in log.append($0) }).logger("mirror")),
            eventLoop: loop, captured: captured)
    }

    func client(of server: RedisServer) async throws -> RedisConnection {
        try await RedisConnection.connect(
            to: server.patientEndpoint, name: "test", on: MultiThreadedEventLoopGroup.singleton.any())
    }

    /// Writes entries as a voice front end does, with plain XADD; gives their IDs.
    func write(_ count: Int, through client: RedisConnection, label: String) async throws -> [String] {
        var ids: [String] = []
        for start in stride(from: 0, to: count, by: 500) {
            let commands = (start..<min(start + 500, count)).map { number in
                RedisCommand(
                    "XADD", Self.journal.key, "*", "event", "EventRinging", "key", "\(label)-\(number)", "data",
                    String(repeating: "x", count: number % 400))
            }
            for result in await client.pipeline(commands) { ids.append(try result.get().string ?? "") }
        }
        return ids
    }

    /// Waits until the copy ends with `last`, at most about a minute.
    func waitForCopy(_ last: String?) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if let last, await link.acknowledged(of: Self.journal) == EntryID(last) { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("the copy did not reach \(last ?? "-"): \(states.reports)")
    }

    /// Waits until `condition` holds, at most about a minute.
    func until(_ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("in vain: \(states.reports)")
    }

    /// How many appends a server has refused or has failed in, as it says itself.
    func refusals(by server: RedisConnection) async throws -> [String] {
        let statistics = try await server.send(RedisCommand("INFO", "commandstats")).string ?? ""
        return statistics.split(whereSeparator: \.isNewline)
            .filter { $0.hasPrefix("cmdstat_xadd:") || $0.hasPrefix("cmdstat_fcall:") }
            .map { $0.split(separator: ",").suffix(2).joined(separator: ",") }
    }

    /// How many signs of life the link has left at its peer.
    func knocks(at peer: RedisConnection) async throws -> UInt64 {
        let knock = try await peer.send(RedisCommand("GET", knockKey(from: "east"))).string.flatMap { Knock(text: $0) }
        return knock?.number ?? 0
    }

    /// Waits until the journal is the same on both servers.
    func untilEqual() async throws {
        try await until { try await contents(of: east) == contents(of: west) }
    }

    /// One answer of a server.
    func ask(_ server: RedisServer, _ words: String...) async throws -> RedisReply {
        let client = try await client(of: server)
        let reply = try await client.send(RedisCommand(words: words, runs: []))
        await client.close()
        return reply
    }

    /// What the copy will never have, as it is noted there.
    func gap(in journal: JournalName = Self.journal) async throws -> CopyGap? {
        try await ask(west, "HGET", journal.metaKey, CopyGap.field(in: "west")).string.flatMap { CopyGap($0) }
    }

    /// Everything in the journal on one server, or in another stream there, as text.
    func contents(of server: RedisServer, key: String = Self.journal.key) async throws -> String {
        let client = try await client(of: server)
        let reply = try await client.send(RedisCommand("XRANGE", key, "-", "+"))
        await client.close()
        return reply.description
    }
}
