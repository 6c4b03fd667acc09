internal import Failover
internal import Journal

/// A region whose copies are read or written, and its Redis.
struct CopyEnd: Sendable {
    /// Where something went wrong, and what.
    struct Failure: Error {
        let region: String
        let failure: FailoverFailure
    }

    let region: String
    let redis: SurvivorRedis

    func ask<Answer>(
        _ body: (SurvivorRedis) async throws(FailoverFailure) -> Answer
    ) async throws(Failure) -> Answer {
        do throws(FailoverFailure) {
            return try await body(redis)
        } catch {
            throw Failure(region: region, failure: error)
        }
    }

    func copies(of journals: [JournalName]) async throws(Failure) -> [HeldCopy] {
        try await ask { redis throws(FailoverFailure) in try await redis.copies(of: journals, in: region) }
    }
}
