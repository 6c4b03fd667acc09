package import Journal
internal import RESP

extension VoiceFold {
    /// Takes on journals behind the cursors that the server holds.
    package mutating func follow(
        _ journals: [JournalName], from store: any ProjectionStore
    ) async throws(StoreFailure) {
        let answers = try await store.answers(
            journals.map {
                RedisCommand(
                    "HMGET", ProjectionKeys.cursors(tenant: $0.tenant), ProjectionKeys.voiceCursor(origin: $0.origin),
                    ProjectionKeys.voiceCut(origin: $0.origin))
            })
        for (journal, answer) in zip(journals, answers) {
            let held = answer.elements.map(\.text)
            follow(
                journal, behind: held.first.flatMap { $0 }.flatMap { EntryID($0) } ?? .zero,
                cut: held.last.flatMap { $0 }.flatMap { JournalCut($0) }?.last)
        }
    }

    /// Throws where the server's cursors are no longer those of the fold. A fork of a journal turns them back, and what is
    /// read behind the old ones may be nothing for a long time.
    package func compareCursors(with store: any ProjectionStore) async throws(StoreFailure) {
        let cursors = wanted
        let answers = try await store.answers(
            cursors.map {
                RedisCommand("HGET", ProjectionKeys.cursors(tenant: $0.journal.tenant), "voice:\($0.journal.origin)")
            })
        for (cursor, answer) in zip(cursors, answers) {
            let held = answer.text.flatMap { EntryID($0) } ?? .zero
            guard held == cursor.last else { throw .server(code: "CURSOR", message: "\(held) of \(cursor.journal)") }
        }
    }

    /// Brings everything that was read into the server's state.
    package mutating func project(into store: any ProjectionStore) async throws(StoreFailure) {
        let missing = missing
        if !missing.isEmpty {
            let answers = try await store.answers(missing.map { RedisCommand("HGETALL", $0.text) })
            for (key, answer) in zip(missing, answers) {
                let words = answer.elements.compactMap(\.text)
                loaded(key, stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) })
            }
        }
        while true {
            let calls = nextCalls()
            if calls.isEmpty { return }
            _ = try await store.answers(calls.map(\.command))
        }
    }
}
