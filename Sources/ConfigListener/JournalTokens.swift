internal import Journal
package import Projection
internal import RESP
internal import Synchronization

/// Tells from the provisioning journals when a write is visible: its transaction's commit is the first entry of that kind,
/// behind the token's position, that carries the token's number; and the projection has come to it.
///
/// Nothing is followed: one look at the journals finds the commit, or another one once the projection has got on, less and
/// less often.
package final class JournalTokens: TokenWaiting {
    /// Where the commits of tokens stand, as far as that was found; forgotten when there are many.
    private static let knownLimit = 4096
    /// How long before a look that failed is repeated: the connection may have been lost by others' reads.
    private static let pause = Duration.milliseconds(100)

    private let region: String
    private let journals: [JournalName]
    private let store: any ProjectionStore
    private let progress: ProvisioningProgress
    private let bell: ProgressBell
    private let known = Mutex<[WriteToken: Position]>([:])

    /// - Parameters:
    ///   - region: This region's name.
    ///   - peers: The names of all others.
    ///   - store: The local Redis, over a connection of which others' writes need nothing; fails at once when it is away.
    ///   - progress: How far provisioning is projected here.
    package init(region: String, peers: [String], store: any ProjectionStore, progress: ProvisioningProgress) {
        self.region = region
        journals = ([region] + peers).map { .provisioning(origin: $0) }
        self.store = store
        self.progress = progress
        bell = ProgressBell(progress)
    }

    package func wait(for token: WriteToken, within patience: Duration) async -> TokenVerdict {
        let end = ContinuousClock.now + patience
        var search = CommitSearch(for: token, in: journals, of: region)
        var found: Position?
        var hasLooked = false
        var pauses = LookPauses()
        while true {
            let rings = bell.rings
            var pause = Duration.zero
            let standing = progress.standing
            var verdict = TokenVerdict.timedOut
            if let standing, standing.position.history > token.after.history {
                // What PostgreSQL still had of the history before was compared with the cache when the new one began. A
                // commit that is found says nothing: it may have come behind the old history's end.
                if standing.isWhole { return .visible }
                verdict = .unknown
            } else {
                var position = found ?? remembered(of: token, by: standing)
                // A commit that is projected stands behind the token's position: before that is passed, none needs to be
                // found.
                if position == nil, !hasLooked || standing.map({ $0.position >= token.after }) ?? false {
                    hasLooked = true
                    do throws(StoreFailure) {
                        found = try await lookTwice(&search, until: end)
                    } catch {
                        return .unavailable
                    }
                    if let found { remember(found, of: token) } else { pause = pauses.lookedInVain() }
                    position = found
                }
                if let position {
                    if let now = progress.standing?.position, now >= position, now.history == position.history {
                        return .visible
                    }
                } else if search.cannotSucceed {
                    return .unknown
                }
            }
            let left = end - ContinuousClock.now
            guard left > .zero, !Task.isCancelled else { return verdict }
            if pause > .zero { try? await Task.sleep(for: min(pause, left)) }
            // Where it has rung meanwhile this returns at once.
            await bell.wait(after: rings, atMost: max(end - ContinuousClock.now, .zero))
        }
    }

    /// Looks, and once more where Redis was not reached and there is time.
    private func lookTwice(
        _ search: inout CommitSearch, until end: ContinuousClock.Instant
    ) async throws(StoreFailure) -> Position? {
        do throws(StoreFailure) {
            return try await look(&search, until: end)
        } catch {
            if case .server = error { throw error }
            let left = end - ContinuousClock.now
            guard left > .zero, !Task.isCancelled else { throw error }
            try? await Task.sleep(for: min(left, Self.pause))
            return try await look(&search, until: end)
        }
    }

    /// Reads on to the end of all journals, to the commit, or until that cannot be found, time is up or nobody waits: anybody
    /// can make up a token that many entries stand behind. At least one page of each.
    private func look(
        _ search: inout CommitSearch, until end: ContinuousClock.Instant
    ) async throws(StoreFailure) -> Position? {
        while !search.cannotSucceed, let commands = search.nextCommands() {
            if let found = search.read(try await store.answers(commands)) { return found }
            guard ContinuousClock.now < end, !Task.isCancelled else { break }
        }
        return nil
    }

    /// Where it was found before. A cache that was emptied since, and has not all again, may have gone on behind that.
    private func remembered(of token: WriteToken, by standing: ProvisioningProgress.Standing?) -> Position? {
        guard let standing, standing.isWhole else { return nil }
        return known.withLock { $0[token] }
    }

    private func remember(_ position: Position, of token: WriteToken) {
        known.withLock { known in
            if known.count >= Self.knownLimit { known.removeAll() }
            known[token] = position
        }
    }
}
