internal import Failover
internal import Projection
internal import RedisClient
internal import RegionConfig

/// The next history number, held for one run of a failover or failback: of two that begin one yields.
///
/// It keeps a region's worker from taking a server that is promoted for its own, and from beginning that history with it.
struct HistoryReservation {
    let region: Region
    /// The run, by a word of its own; `<region>/<word>` where another run of the region may go on with what it holds.
    let holder: String

    func reserve(_ number: UInt64, at redis: SurvivorRedis) async throws(FailoverFailure) {
        // Both hooks, each after the time for which its step is tried again, and the drain between them.
        let time = (region.failover.hookTimeout * 2 + .seconds(180)).components.seconds
        let answer = try await redis.ask(
            "FCALL", "rsf1_reserve", "1", ProjectionKeys.reservedHistory, "\(number)", holder, "\(time)")
        if let seconds = answer.integer {
            throw .failed("another failback or failover runs; if it was killed, this one can begin in \(seconds) s")
        }
    }

    /// Takes back what the run holds there, or leaves the number without a holder for the rest of its time.
    func release(at redis: SurvivorRedis, keepsNumber: Bool) async throws(FailoverFailure) {
        _ = try await redis.ask(
            "FCALL", "rsf1_unreserve", "1", ProjectionKeys.reservedHistory, holder, keepsNumber ? "number" : "")
    }
}

extension HistoryReservation {
    /// Reserves it in the region itself and in these others, in the order of all names: so two regions meet at the first one
    /// that both reach, and one of them yields before it holds anything that the other needs. A region that went away is
    /// passed over.
    func reserve(_ number: UInt64, among others: [String]) async throws(FailoverFailure) {
        for (name, peer) in places(among: others) {
            do throws(FailoverFailure) {
                try await SurvivorRedis.with(region, at: peer) { redis throws(FailoverFailure) in
                    try await reserve(number, at: redis)
                }
            } catch {
                guard case .unavailable = error, name != region.name else { throw error }
            }
        }
    }

    /// Takes it back at each, at least where that can be done.
    func release(among others: [String], keepsNumber: Bool) async throws(FailoverFailure) {
        var failure: FailoverFailure?
        for (_, peer) in places(among: others) {
            do throws(FailoverFailure) {
                try await SurvivorRedis.with(region, at: peer) { redis throws(FailoverFailure) in
                    try await release(at: redis, keepsNumber: keepsNumber)
                }
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// The region itself, without a peer, and these others.
    private func places(among others: [String]) -> [(name: String, peer: Region.Peer?)] {
        var places: [(name: String, peer: Region.Peer?)] = [(region.name, nil)]
        for peer in region.peers where others.contains(peer.region) { places.append((peer.region, peer)) }
        return places.sorted { $0.name < $1.name }
    }
}
