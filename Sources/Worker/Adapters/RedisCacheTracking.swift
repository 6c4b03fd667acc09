package import ConfigListener
package import NIOCore
package import Projection
internal import RESP
package import RedisClient

/// Two connections to the local Redis: one reads, and is tracked; the other one hears what of that has changed.
/// https://redis.io/docs/latest/develop/reference/client-side-caching/
package actor RedisCacheTracking: CacheTracking {
    private static let channel = "__redis__:invalidate"

    private var endpoint: RedisEndpoint
    private let eventLoop: any EventLoop
    private var backoff = ReconnectBackoff()
    private var hasFailed = false

    package init(endpoint: RedisEndpoint, eventLoop: any EventLoop) {
        self.endpoint = endpoint
        // Clients wait for reads, and memory is old for as long as a dead link is not known.
        self.endpoint.responseTimeout = endpoint.linkTimeout
        self.eventLoop = eventLoop
    }

    package func open(
        onInvalidation: @escaping @Sendable (CacheInvalidation) -> Void
    ) async throws(StoreFailure) -> any CacheSession {
        if hasFailed {
            let pause = backoff.next()
            try? await Task.sleep(for: pause)
        }
        hasFailed = true
        let hearing: RedisConnection
        do throws(RedisError) {
            hearing = try await RedisConnection.connect(
                to: endpoint, name: "regionsync-invalidations",
                onMessage: { onInvalidation(CacheInvalidation($0)) }, on: eventLoop)
        } catch {
            throw StoreFailure(error)
        }
        do throws(RedisError) {
            let run = try await Self.run(hearing)
            _ = try await hearing.send(RedisCommand("SUBSCRIBE", Self.channel))
            let session = try await reading(beside: hearing, of: run)
            hasFailed = false
            backoff.reset()
            return session
        } catch {
            await hearing.close()
            throw StoreFailure(error)
        }
    }

    /// What the server was given when it started.
    private static func run(_ connection: RedisConnection) async throws(RedisError) -> String {
        try await ServerInfo.ask(connection)["run_id"] ?? ""
    }

    /// A session over a second connection to the same run of the server, which the first one hears for: in another one
    /// its number is somebody else's.
    private func reading(
        beside hearing: RedisConnection, of run: String
    ) async throws(RedisError) -> RedisCacheSession {
        let reading = try await RedisConnection.connect(
            to: endpoint, name: "regionsync-reads", on: eventLoop)
        do throws(RedisError) {
            guard try await Self.run(reading) == run else {
                throw .connect(reason: "the server was started anew in between")
            }
            let tracking = RedisCommand(
                "CLIENT", "TRACKING", "ON", "REDIRECT", "\(hearing.clientID)", "OPTIN")
            _ = try await reading.send(tracking)
            return RedisCacheSession(serverRun: String(run.prefix(12)), reading: reading, hearing: hearing)
        } catch {
            await reading.close()
            throw error
        }
    }
}

/// The pair of connections; either one's end is the session's.
struct RedisCacheSession: CacheSession {
    let serverRun: String
    private let reading: RedisConnection
    private let hearing: RedisConnection

    init(serverRun: String, reading: RedisConnection, hearing: RedisConnection) {
        self.serverRun = serverRun
        self.reading = reading
        self.hearing = hearing
        reading.closeFuture.whenComplete { _ in hearing.closeSoon() }
        hearing.closeFuture.whenComplete { _ in reading.closeSoon() }
    }

    func send(_ commands: [RedisCommand]) async -> SentCommands { reading.sent(commands) }

    /// What is answered to a command stands behind the messages that were sent before it.
    func heard() async throws(StoreFailure) {
        do throws(RedisError) {
            _ = try await hearing.send(RedisCommand("PING"))
        } catch {
            throw StoreFailure(error)
        }
    }

    func ended() async -> StoreFailure {
        let both = reading.closeFuture.and(hearing.closeFuture)
        let (one, other) = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                both.whenSuccess { continuation.resume(returning: $0) }
            }
        } onCancel: {
            reading.closeSoon()
        }
        // The one that ended by itself says why.
        return StoreFailure(one == .closed ? other : one)
    }
}

extension CacheInvalidation {
    /// What a message of Redis' channel carries: keys, or nothing where all are meant.
    fileprivate init(_ message: RedisReply) {
        self = message.kind == .array ? .keys(message.elements.compactMap(\.bytes)) : .all
    }
}
