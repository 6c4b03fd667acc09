internal import CrashPoints
package import Journal
internal import RESP

extension VoiceFold {
    /// Takes on journals behind the cursors that the server holds, and what was left to be done for their tenants.
    package mutating func follow(
        _ journals: [JournalName], from store: any ProjectionStore
    ) async throws(StoreFailure) {
        let cursors = try await store.answers(
            journals.map {
                RedisCommand(
                    "HMGET", ProjectionKeys.cursors(tenant: $0.tenant), ProjectionKeys.voiceCursor(origin: $0.origin),
                    ProjectionKeys.voiceCut(origin: $0.origin))
            })
        for (journal, answer) in zip(journals, cursors) {
            let held = answer.elements.map(\.text)
            follow(
                journal, behind: held.first.flatMap { $0 }.flatMap { EntryID($0) } ?? .zero,
                cut: held.last.flatMap { $0 }.flatMap { JournalCut($0) }?.last)
        }
        try await lookForGaps(in: store)
        let tenants = Set(journals.map(\.tenant)).sorted()
        let agents = try await store.answers(
            tenants.map { RedisCommand("SMEMBERS", ProjectionKeys.superseded(tenant: $0)) })
        for (tenant, answer) in zip(tenants, agents) {
            found(superseded: answer.elements.compactMap(\.text), of: tenant)
        }
    }

    /// Throws where the server's cursors are no longer those of the fold. A fork of a journal turns them back, and what is
    /// read behind the old ones may be nothing for a long time.
    package func compareCursors(with store: any ProjectionStore) async throws(StoreFailure) {
        let tenants = Array(Dictionary(grouping: wanted) { $0.journal.tenant })
        let answers = try await store.answers(
            tenants.map { tenant, cursors in
                RedisCommand(
                    ["HMGET", ProjectionKeys.cursors(tenant: tenant)]
                        + cursors.map { ProjectionKeys.voiceCursor(origin: $0.journal.origin) })
            })
        for ((_, cursors), answer) in zip(tenants, answers) {
            for (cursor, field) in zip(cursors, answer.elements) {
                let held = field.text.flatMap { EntryID($0) } ?? .zero
                guard held == cursor.last else {
                    throw .server(code: "CURSOR", message: "\(held) of \(cursor.journal)")
                }
            }
        }
    }

    /// Brings everything that was read into the server's state.
    package mutating func project(into store: any ProjectionStore) async throws(StoreFailure) {
        let missing = missing
        for (key, answer) in zip(missing, await store.run(missing.map { RedisCommand("HGETALL", $0.text) })) {
            switch answer {
            case .success(let fields):
                let words = fields.elements.compactMap(\.text)
                loaded(key, stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) })
            case .failure(let failure):
                guard failure.isWrongType else { throw failure }
                foundForeign(key)
            }
        }
        while true {
            let calls = nextCalls()
            if calls.isEmpty { return }
            let sent = await store.send(calls.map(\.command))
            CrashPoint.voiceSent.pass()
            for result in await sent.replies() { _ = try result.get() }
            CrashPoint.voiceApplied.pass()
        }
    }

    /// Ends the sessions of this region that a login elsewhere made void, as of `time`, µs since 1970; for when everything
    /// that was read is in the server's state. Answers what the server objects to, if anything: it keeps no event from
    /// being projected.
    package mutating func logOut(
        through store: any ProjectionStore, at time: Int64
    ) async throws(StoreFailure) -> StoreFailure? {
        let due = dueLogouts(at: time)
        guard !due.isEmpty else { return nil }
        var objection: StoreFailure?
        let before = counts.logouts
        let sent = await store.send(due.map(\.command))
        CrashPoint.logoutSent.pass()
        for (logouts, result) in zip(due, await sent.replies()) {
            switch result {
            case .success(let reply): answered(logouts, reply)
            case .failure(let failure):
                guard case .server = failure, !failure.isFunctionMissing else { throw failure }
                objection = failure
            }
        }
        if counts.logouts > before { CrashPoint.logoutAppended.pass() }
        return objection
    }
}
