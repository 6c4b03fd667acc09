internal import Journal
internal import Mirror
internal import NIOCore
internal import RESP
internal import RedisClient

// How links leave signs of life in a peer's Redis and find those of the peer in their own.
extension Knock {
    func command(from region: String) -> RedisCommand { RedisCommand("SET", knockKey(from: region), text) }
}

extension LinkLoss {
    /// Sorts why a peer's Redis is no target.
    init(_ error: any Error) {
        self =
            error as? LinkLoss ?? LinkLoss(Refusal(error), isSilence: (error as? RedisError)?.isSilence ?? false)
    }

    /// Why a server that may throw journals away is no target; nil for one that does not.
    init?(evictionBy info: ServerInfo, at endpoint: RedisEndpoint) {
        guard info.mayEvict else { return nil }
        self.init(
            .unavailable("\(endpoint) may evict journals (maxmemory-policy \(info.evictionPolicy))"),
            evictionAdvice: ServerInfo.evictionAdvice)
    }
}

extension RedisMirrorTarget {
    func leave(_ knock: Knock, from region: String) -> EventLoopFuture<Void> {
        connection.send(knock.command(from: region)).map { _ in }
    }
}

extension RedisMirrorSource {
    func knock(of peer: String) -> EventLoopFuture<Knock?> {
        connection.send(RedisCommand("GET", knockKey(from: peer))).map { $0.string.flatMap { Knock(text: $0) } }
    }
}

extension RedisConnection {
    /// Succeeds when the connection is gone, with why and to whom.
    var closed: EventLoopFuture<LinkLoss> {
        let endpoint = endpoint
        return closeFuture.map { LinkLoss(.unavailable("\(endpoint): \($0)"), isSilence: $0.isSilence) }
    }
}
