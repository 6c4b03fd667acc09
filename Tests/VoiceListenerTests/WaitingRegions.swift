import Journal
import Logging
import NIOCore
import NIOPosix
import Observability
import RESP
import RedisClient
import ServerFixtures

@testable import Mirror
@testable import VoiceListener
@testable import Worker

/// A port of us-east, and a link that ships what is written there for tenant 101 to another Redis.
struct WaitingRegions: Sendable {
    let port: WritingPort
    let peer: RedisServer
    let link: MirrorLink

    /// Runs both for the length of `body`, which runs the link itself where it is not `running`.
    static func with(
        running: Bool = true, _ body: @escaping @Sendable (WaitingRegions) async throws -> Void
    ) async throws {
        try await RedisServer.with { own in
            try await RedisServer.with { peer in
                let link = Self.link(from: own, to: peer)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    defer { group.cancelAll() }
                    if running { group.addTask { await link.run() } }
                    await link.mirror([.voice(tenant: "101", origin: "us-east"), .control(origin: "us-east")])
                    try await WritingPort.with(redis: own, peers: [LinkedCopies(link)]) { port in
                        try await body(WaitingRegions(port: port, peer: peer, link: link))
                    }
                }
            }
        }
    }

    private static func link(from own: RedisServer, to peer: RedisServer) -> MirrorLink {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        return MirrorLink(
            settings: MirrorSettings(region: "us-east", peer: "eu-west"),
            connector: RedisMirrorConnector(
                region: "us-east", local: .patient(own.port), remote: .patient(peer.port), eventLoop: loop),
            report: MirrorReport(
                peer: "eu-west", states: ComponentStates(), metrics: MetricsRegistry(),
                logger: Logger(label: "mirror", factory: { _ in SwiftLogNoOpLogHandler() })), eventLoop: loop)
    }

    /// An event of a tenant is appended; its ID.
    func append(through client: RedisConnection, tenant: Int = 101) async throws -> String {
        try await client.say("XADD", "voice:\(tenant)", "*", "event", "EventHeld", "key", "c", "data", "{}")
    }

    /// What tenant 101 has up to an event is trimmed from the journal, as by its budget.
    func trim(through id: String) async throws {
        let journal = JournalName.voice(tenant: "101", origin: "us-east")
        let commands = [
            RedisCommand("MULTI"), RedisCommand("XTRIM", journal.key, "MAXLEN", "0"),
            RedisCommand("HSET", journal.metaKey, "floor", id), RedisCommand("EXEC"),
        ]
        for answer in await port.server.pipeline(commands) { _ = try answer.get() }
    }

    /// Whether the peer's Redis has an event of tenant 101.
    func isThere(_ id: String) async throws -> Bool {
        let connection = try await RedisConnection.connect(
            to: .patient(peer.port), name: "test", on: MultiThreadedEventLoopGroup.singleton.next())
        let found = try await connection.send(RedisCommand("XRANGE", "rs:{101}:voice:us-east", id, id))
        await connection.close()
        return found.count == 1
    }
}
