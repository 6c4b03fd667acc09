package import Capture
internal import Journal
internal import NIOCore
internal import Projection
internal import RESP
internal import RedisClient

// A region's role as its own Redis notes it, in the hash `capturingKey`, and as its peers know of it.
extension RedisCaptureJournal: CaptureRole {
    private var key: String { capturingKey(of: journal.origin) }

    package func standing() async throws(CaptureFailure) -> CaptureStanding {
        let words = try await ask(["HGETALL", key]).elements.map { $0.string ?? "" }
        var newest: UInt64?
        for place in stride(from: 0, to: words.count - 1, by: 2) where words[place] != run {
            if words[place] == Self.confirmed { return .confirmed }
            // What nobody of us wrote is no proof of anything.
            newest = max(newest ?? 0, UInt64(words[place + 1]) ?? .max)
        }
        return newest.map(CaptureStanding.unclean(history:)) ?? .clean
    }

    package func take(history: UInt64) async throws(CaptureFailure) {
        _ = try await ask(["EVAL", Self.replace, "1", key, run, "\(history)"])
    }

    package func historyAtPeers() async -> UInt64? {
        await withTaskGroup(of: NewestHistory?.self) { asking in
            for peer in peers { asking.addTask { await self.history(at: peer) } }
            var newest: UInt64?
            var isReserved = false
            for await history in asking {
                guard let history else { continue }
                newest = max(newest ?? 0, history.known)
                if history.reserved > history.known { isReserved = true }
            }
            return isReserved ? nil : newest
        }
    }

    /// Notes that this run has stopped cleanly. Nothing may be captured behind that.
    package func release() async {
        guard let openConnection else { return }
        _ = try? await openConnection.send(RedisCommand("HDEL", key, run), deadline: .seconds(1))
    }

    /// The field of an operator's word.
    private static let confirmed = "confirmed"

    /// Capture begins beyond `maxmemory`, too, and says what it waits for.
    private static let replace = """
        #!lua flags=allow-oom
        redis.call('DEL', KEYS[1])
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
        """

    private func ask(_ words: [String]) async throws(CaptureFailure) -> RedisReply {
        do throws(RedisError) {
            return try await connected().send(RedisCommand(words: words, runs: []))
        } catch {
            throw .unavailable("\(error)")
        }
    }

    private func history(at peer: RedisEndpoint) async -> NewestHistory? {
        var peer = peer
        peer.responseTimeout = min(peer.responseTimeout, peer.connectTimeout)
        guard let connection = try? await RedisConnection.connect(to: peer, name: "regionsync-capture", on: eventLoop)
        else { return nil }
        defer { connection.closeSoon() }
        return await connection.newestHistory(about: journal.origin)
    }
}

/// The newest histories of which a region's Redis knows.
struct NewestHistory: Sendable {
    /// Of which there is anything there; the one above it where the region that asks was declared down.
    let known: UInt64
    /// That a failover or failback is about to begin; 0 for none.
    let reserved: UInt64
}

extension RedisConnection {
    /// What a region's Redis knows that concerns `region`; nil when it cannot be told now.
    func newestHistory(about region: String) async -> NewestHistory? {
        let answers = await pipeline([
            RedisCommand("HMGET", ProjectionKeys.trailing, "provisioning", ProjectionKeys.down(region: region)),
            RedisCommand("GET", ProjectionKeys.reservedHistory),
        ])
        guard answers.count == 2, let known = try? answers[0].get() else { return nil }
        let reserved: UInt64
        switch answers[1] {
        case .success(let mark): reserved = mark.string?.split(separator: " ").first.flatMap { UInt64($0) } ?? 0
        case .failure(.server("NOPERM", _)): reserved = 0  // at a peer it need not be allowed
        case .failure: return nil
        }
        let projected = known[0]?.string.flatMap { Position($0) }?.history ?? 0
        let declared = known[1]?.string?.split(separator: " ").first.flatMap { UInt64($0) }
        return NewestHistory(
            known: max(projected, declared.map { $0 == .max ? $0 : $0 + 1 } ?? 0), reserved: reserved)
    }
}
