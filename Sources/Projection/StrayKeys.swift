internal import Journal
internal import RESP

/// Journals under whose keys somebody keeps something else. A read that asks for one of them fails whole, so they are left
/// out, and looked at again every few seconds.
struct StrayKeys: Sendable {
    private static let pause = Duration.seconds(3)

    /// What Redis says is there: `string`, `list` …
    private(set) var kinds: [JournalName: String] = [:]
    private var nextLook = ContinuousClock.now

    func without(_ cursors: [JournalCursor]) -> [JournalCursor] {
        kinds.isEmpty ? cursors : cursors.filter { kinds[$0.journal] == nil }
    }

    /// Looks for them where a read failed with `failure`; throws that when there is none.
    mutating func find(
        among cursors: [JournalCursor], after failure: StoreFailure, in store: any ProjectionStore
    ) async throws(StoreFailure) {
        let found = try await look(at: cursors.map(\.journal), in: store)
        guard !found.isEmpty else { throw failure }
        kinds.merge(found) { $1 }
        nextLook = .now + Self.pause
    }

    /// Forgets those that are journals again, or nothing.
    mutating func lookAgain(in store: any ProjectionStore) async throws(StoreFailure) {
        guard !kinds.isEmpty, ContinuousClock.now >= nextLook else { return }
        kinds = try await look(at: kinds.keys.sorted(), in: store)
        nextLook = .now + Self.pause
    }

    private func look(
        at journals: [JournalName], in store: any ProjectionStore
    ) async throws(StoreFailure) -> [JournalName: String] {
        let answers = try await store.answers(journals.map { RedisCommand("TYPE", $0.key) })
        var found: [JournalName: String] = [:]
        for (journal, answer) in zip(journals, answers) {
            if let kind = answer.text, !["stream", "none"].contains(kind) { found[journal] = kind }
        }
        return found
    }
}
