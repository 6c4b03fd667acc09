/// Why something outside did not do what a failover asked of it.
package enum FailoverFailure: Error, Hashable, Sendable {
    /// It may do so later; why, in words for people.
    case unavailable(String)
    /// It will not; why, in words for people.
    case failed(String)
}

extension FailoverFailure {
    package var reason: String {
        switch self {
        case .unavailable(let reason), .failed(let reason): reason
        }
    }
}

/// The PostgreSQL server that is promoted.
package protocol FailoverDatabase: Sendable {
    func look() async throws(FailoverFailure) -> FoundDatabase
    /// Adds a row if `newest` is still the newest number; false when another was faster.
    func add(_ row: FoundDatabase.History, after newest: UInt64) async throws(FailoverFailure) -> Bool
}

/// The surviving region: its Redis and its worker.
package protocol FailoverRegion: Sendable {
    /// What its Redis holds of the region that is down (nil: not known yet which one).
    func holding(of down: String?) async throws(FailoverFailure) -> FoundHolding
    /// Whether the other region gives a sign of life now; answers within two seconds.
    func lives(_ down: String) async throws(FailoverFailure) -> Bool
    /// How the regions beside this one and `down` stand with the journals of `down`, which itself is not asked; in a two
    /// region topology at once none. Answers within about a second where one does not.
    func others(besides down: String) async -> [FoundOther]
    func worker() async throws(FailoverFailure) -> FoundWorker
    /// How it stands itself, when it came back.
    func returning() async throws(FailoverFailure) -> FoundReturn
    /// Closes what it left open itself when it went down under this history, each once, and lets its peers project again
    /// what it writes from then on. A region that `captures` again may have calls that live: it closes nothing.
    /// Reserves the next history number at the peers; fails where another run holds one.
    func rejoin(history: UInt64, captures: Bool) async throws(FailoverFailure) -> RejoinedJournals
    /// Takes back what `rejoin` reserved at the peers for the server that is to be promoted. Where that may be promoted
    /// already it `keepsNumber`, and only lets other runs reserve it, too.
    func unreserve(keepsNumber: Bool) async throws(FailoverFailure)
    /// Reserves a history number here and at these other regions; fails where another region's run holds one. One that
    /// went away is passed over.
    func reserve(_ number: UInt64, at others: [String]) async throws(FailoverFailure)
    /// Takes back what `reserve` reserved; `keepsNumber` as for `unreserve`.
    func release(at others: [String], keepsNumber: Bool) async throws(FailoverFailure)
    /// Gives this region and these others what any of them has of the journals of `down`. What goes wrong there is told and
    /// stops nothing.
    func level(_ down: String, with others: [String]) async throws(FailoverFailure) -> [LevelledRegion]
    /// Returns when everything it holds now of the other region is projected; answers how many journals were behind.
    func drain(_ down: String) async throws(FailoverFailure) -> Int
    /// Ends the journals of the region that is down where the copies end now, and declares that in the own control
    /// journal. Once: what was cut or declared before stays as it is.
    func declare(_ down: String, history: UInt64) async throws(FailoverFailure) -> DeclaredCut
    /// Appends the events that close what is open of the region that is down, each once.
    func closeOrphans(of down: String, history: UInt64) async throws(FailoverFailure) -> ClosedOrphans
    /// Returns when the worker captures in this history, or a newer one of its own, and its cache shows the snapshot that this begins with.
    func serves(history: UInt64) async throws(FailoverFailure)
    /// Compares the new primary with the cache, and looks for what the region that is down (nil: none) has left.
    func verify(_ down: String?) async throws(FailoverFailure) -> FailoverChecks
}

/// Commands of the region file.
package protocol FailoverHooks: Sendable {
    func fence(_ down: String) async throws(FailoverFailure) -> HookResult
    func promote(_ down: String) async throws(FailoverFailure) -> HookResult
}
