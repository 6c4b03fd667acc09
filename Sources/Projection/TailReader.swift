internal import Journal

/// Reads journals, but for those under whose keys somebody keeps something else.
struct TailReader: Sendable {
    private let tail: any JournalTail
    private let store: any ProjectionStore
    private(set) var strays = StrayKeys()

    /// `tail` is read by nobody else; `store` is where the journals are.
    init(tail: any JournalTail, store: any ProjectionStore) {
        self.tail = tail
        self.store = store
    }

    /// As `JournalTail.read`, and nothing where a journal had to be left out first.
    mutating func read(
        behind cursors: [JournalCursor], patience: Duration
    ) async throws(StoreFailure) -> [JournalRead] {
        try await strays.lookAgain(in: store)
        let journals = strays.without(cursors)
        do throws(StoreFailure) {
            return try await tail.read(behind: journals, patience: patience)
        } catch {
            guard error.isWrongType else { throw error }
            try await strays.find(among: journals, after: error, in: store)
            return []
        }
    }

    func close() async { await tail.close() }
}
