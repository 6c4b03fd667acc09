internal import Connections
internal import Failover
internal import Journal
internal import NIOCore
internal import NIOPosix
internal import Projection
internal import RESP
internal import RedisClient
internal import RegionConfig

/// The surviving region's Redis: a connection, and the few questions that several steps ask.
struct SurvivorRedis: Sendable {
    let region: Region
    private let connection: RedisConnection

    /// Connects to the region's own server or, for the same tenants, a peer's; refuses one that is no primary.
    /// `time`: how long that may take where the region file allows more.
    static func connect(
        _ region: Region, at peer: Region.Peer? = nil, within time: Duration? = nil
    ) async throws(FailoverFailure) -> SurvivorRedis {
        do throws(RedisError) {
            var endpoint = RedisEndpoint(peer?.redis ?? region.redis)
            if let time { endpoint.connectTimeout = min(endpoint.connectTimeout, time) }
            let connection = try await RedisConnection.connect(
                to: endpoint, name: "regionsync-failover", on: MultiThreadedEventLoopGroup.singleton.any())
            let info = ServerInfo(try await connection.send(RedisCommand("INFO")))
            guard info["role"] == "master" else { throw .server(code: "READONLY", message: "it is a replica") }
            _ = try await connection.send(FailoverFunctions.library.loadCommand)
            return SurvivorRedis(region: region, connection: connection)
        } catch {
            throw .unavailable("\(error)")
        }
    }

    /// How long a peer may take to be connected to that a failover can do without.
    static let patience = Duration.seconds(1)

    /// Runs `body` with a connection to the region's own server or to a peer's that a failover can do without.
    static func with<Answer>(
        _ region: Region, at peer: Region.Peer?, _ body: (SurvivorRedis) async throws(FailoverFailure) -> Answer
    ) async throws(FailoverFailure) -> Answer {
        let redis = try await connect(region, at: peer, within: peer == nil ? nil : patience)
        defer { redis.close() }
        return try await body(redis)
    }

    func close() { connection.closeSoon() }

    /// Appends to a copy that was born with this mark, and ends where the batch begins.
    func append(_ batch: EntryBatch, to journal: JournalName, birth: String) async throws(Refusal) {
        do throws(RedisError) {
            _ = try await connection.send(
                JournalFunctions.append(batch, to: journal, birth: birth), deadline: .seconds(30))
        } catch {
            guard case .server(let code, let message) = error else { throw .unavailable("\(error)") }
            throw Refusal(code: code, message: message)
        }
    }

    /// Sends all commands at once and gives their answers in order; the first error ends it.
    func ask(_ commands: [RedisCommand]) async throws(FailoverFailure) -> [RedisReply] {
        var replies: [RedisReply] = []
        replies.reserveCapacity(commands.count)
        // A server answers thousands of commands in a turn; more at once would only wait in buffers.
        for start in stride(from: 0, to: commands.count, by: 1000) {
            let some = Array(commands[start..<min(start + 1000, commands.count)])
            for result in await connection.pipeline(some, deadline: .seconds(30)) {
                do throws(RedisError) {
                    replies.append(try result.get())
                } catch {
                    throw .unavailable("\(error)")
                }
            }
        }
        return replies
    }

    func ask(_ words: String...) async throws(FailoverFailure) -> RedisReply {
        try await ask([RedisCommand(words: words, runs: [])])[0]
    }

    /// Dbids of the tenants that are projected here.
    func tenants() async throws(FailoverFailure) -> [String] {
        let known = try await ask("SMEMBERS", tenantsKey).elements.compactMap(\.string)
        return Set(known + region.tenants.map(String.init)).sorted()
    }

    /// The newest entry of each stream; zero where there is none.
    func ends(of journals: [JournalName]) async throws(FailoverFailure) -> [EntryID] {
        try await ask(journals.map { RedisCommand("XREVRANGE", $0.key, "+", "-", "COUNT", "1") })
            .map { $0[0]?[0]?.string.flatMap { EntryID($0) } ?? .zero }
    }

    /// Of each tenant's voice journal of a region: where the projection stands, and where it is to end, which is the cut
    /// where there is one, else the end of the copy, or of the journal itself where it is born here.
    func voice(of down: String) async throws(FailoverFailure) -> [VoiceProgress] {
        let tenants = try await tenants()
        // Whoever writes to a voice journal keeps no meta.
        let ends =
            down == region.name ? try await self.ends(of: tenants.map { .voice(tenant: $0, origin: down) }) : nil
        let answers = try await ask(
            tenants.flatMap { tenant in
                [
                    RedisCommand(
                        "HMGET", ProjectionKeys.cursors(tenant: tenant), ProjectionKeys.voiceCursor(origin: down),
                        ProjectionKeys.voiceCut(origin: down)),
                    RedisCommand(
                        "HMGET", JournalName.voice(tenant: tenant, origin: down).metaKey, "last", "count"),
                ]
            })
        return tenants.enumerated().map { index, tenant in
            let (state, meta) = (answers[2 * index], answers[2 * index + 1])
            return VoiceProgress(
                tenant: tenant, projected: state[0]?.string.flatMap { EntryID($0) } ?? .zero,
                cut: state[1]?.string.flatMap { JournalCut($0) },
                last: ends?[index] ?? meta[0]?.string.flatMap { EntryID($0) } ?? .zero,
                count: meta[1]?.string.flatMap { UInt64($0) } ?? 0)
        }
    }

    /// How far provisioning is projected for all tenants.
    func provisioned() async throws(FailoverFailure) -> Position {
        try await ask("HGET", ProjectionKeys.trailing, "provisioning").string.flatMap { Position($0) } ?? .zero
    }

    /// Looks again and again until `condition` is true; throws `.failed` with `problem` when that takes too long.
    func wait(
        _ time: Duration, pause: Duration = .milliseconds(20), orFail problem: String,
        until condition: () async throws(FailoverFailure) -> Bool
    ) async throws(FailoverFailure) {
        let deadline = ContinuousClock.now + time
        while try await !condition() {
            guard ContinuousClock.now < deadline else { throw .failed(problem) }
            do { try await Task.sleep(for: pause) } catch { throw .failed("it was interrupted") }
        }
    }
}

/// A voice journal of one region, as the survivor has it.
struct VoiceProgress: Sendable {
    let tenant: String
    let projected: EntryID
    let cut: JournalCut?
    /// The last entry.
    let last: EntryID
    /// How many entries the copy was ever given; of a journal that is born here that is not known.
    let count: UInt64

    /// Where it ends for the projection.
    var end: EntryID { cut?.last ?? last }
    var isBehind: Bool { projected < end }
}
