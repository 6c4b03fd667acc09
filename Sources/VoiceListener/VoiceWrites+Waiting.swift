internal import Journal
internal import Projection
internal import RESP
internal import RESPServer

/// Whether a peer holds what it was asked for.
private struct PeerAnswer: Sendable {
    let peer: any PeerCopies
    let holds: Bool
}

// How a connection learns that other regions hold what it has written.
extension VoiceWrites {
    /// A client that wants to wait longer asks again.
    private static let longestPatience = Duration.seconds(86_400)
    private static let pageSize = 32
    /// How often who waits without end is looked after: what Redis has lost, no peer will ever hold.
    private static let lookInterval = Duration.seconds(5)

    var waitCommand: Command {
        Command(
            "WAIT", arity: 3, flags: [.blocking], permission: .write,
            documentation: Command.Documentation(
                "Waits until so many other regions hold everything that this connection has written.", group: "voice",
                arguments: [Command.Argument("regions", .integer), Command.Argument("milliseconds", .integer)]),
            handler: .asynchronous { await wait($0) })
    }

    private func wait(_ call: Invocation) async -> Reply {
        guard let regions = call.request.integer(1), regions >= 0 else {
            return .error(ReplyError("value is not an integer or out of range"))
        }
        guard let milliseconds = call.request.integer(2) else {
            return .error(ReplyError("timeout is not an integer or out of range"))
        }
        guard milliseconds >= 0 else { return .error(ReplyError("timeout is negative")) }
        guard let entries = written.last(of: call.client) else {
            return .error(
                "LIMIT", "this connection has written to more than \(WrittenEntries.limit) tenants: use several")
        }
        let patience = milliseconds == 0 ? nil : min(.milliseconds(milliseconds), Self.longestPatience)
        let holding = await holding(entries, wanted: regions, patience: patience)
        let mayBeLost = patience == nil && regions > 0 && !peers.isEmpty
        guard !entries.isEmpty, !holding.isEmpty || mayBeLost else { return .integer(Int64(holding.count)) }
        do throws(ReplyError) {
            return .integer(Int64(try await confirmed(holding, entries)))
        } catch {
            return .error(error)
        }
    }

    /// How many of the peers hold the entries indeed: one may hold what was written later and not these, where the region's
    /// Redis has lost them, which throws, as it does where that cannot be asked, or where they were trimmed too early.
    private func confirmed(
        _ holding: [any PeerCopies], _ entries: [JournalName: WrittenEntry]
    ) async throws(ReplyError) -> Int {
        let all = Array(entries)
        var trimmed: [JournalName: EntryID] = [:]
        // The answers carry the entries whole.
        for start in stride(from: 0, to: all.count, by: Self.pageSize) {
            for absent in try await absent(of: all[start..<min(start + Self.pageSize, all.count)]) {
                guard absent.isTrimmed else {
                    throw ReplyError(
                        code: "STALE",
                        message: "the region's Redis has lost, or may have, "
                            + "\(absent.entry) of tenant \(absent.journal.tenant)")
                }
                trimmed[absent.journal] = absent.entry
            }
        }
        // What is there still was there when the mirror read what came behind it.
        guard !trimmed.isEmpty else { return holding.count }
        var count = 0
        for peer in holding {
            let isWhole = await peer.areWhole(upTo: trimmed)
            if isWhole { count += 1 }
        }
        return count
    }

    /// Those entries that are not there any more. What is below the floor was trimmed, unless the journal got a new mark
    /// since it was written: then nobody can tell whether it was lost before.
    private func absent(
        of entries: ArraySlice<(key: JournalName, value: WrittenEntry)>
    ) async throws(ReplyError) -> [(journal: JournalName, entry: EntryID, isTrimmed: Bool)] {
        do throws(StoreFailure) {
            let found = try await store.answers(
                entries.map { RedisCommand("XRANGE", $0.key.key, $0.value.id.description, $0.value.id.description) })
            let states = try await store.answers(
                entries.map { RedisCommand("HMGET", $0.key.metaKey, "floor", "birth") })
            return zip(entries, zip(found, states)).compactMap { asked, answers in
                let (written, state) = (asked.value, answers.1.elements)
                guard answers.0.elements.isEmpty else { return nil }
                let floor = EntryID(floor: state.first ?? .null)
                let isTrimmed = floor >= written.id && !written.isOlder(than: state.last?.text)
                return (journal: asked.key, entry: written.id, isTrimmed: isTrimmed)
            }
        } catch {
            throw ReplyError(ofRead: error)
        }
    }

    /// Returns when the region's Redis has lost some of the entries, or when cancelled.
    private func entriesLost(_ entries: [JournalName: WrittenEntry]) async {
        let all = Array(entries)
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.lookInterval)
            for start in stride(from: 0, to: all.count, by: Self.pageSize) where !Task.isCancelled {
                let absent = (try? await absent(of: all[start..<min(start + Self.pageSize, all.count)])) ?? []
                if absent.contains(where: { !$0.isTrimmed }) { return }
            }
        }
    }

    /// The peers that hold the entries: once `wanted` of them do, or all have answered, when `patience` is over or, where it
    /// has no end, the entries are lost, or when the task is cancelled.
    private func holding(
        _ entries: [JournalName: WrittenEntry], wanted: Int64, patience: Duration?
    ) async -> [any PeerCopies] {
        let ids = entries.mapValues(\.id)
        return await withTaskGroup(of: PeerAnswer?.self) { tasks in
            for peer in peers { tasks.addTask { PeerAnswer(peer: peer, holds: await peer.holds(ids)) } }
            if let patience {
                tasks.addTask {
                    try? await Task.sleep(for: patience)
                    return nil
                }
            } else if wanted > 0 {
                tasks.addTask {
                    await entriesLost(entries)
                    return nil
                }
            }
            var holding: [any PeerCopies] = []
            var answered = 0
            while holding.count < wanted, answered < peers.count, let next = await tasks.next(), let answer = next {
                answered += 1
                if answer.holds { holding.append(answer.peer) }
            }
            // Those who hold it by now say so also when cancelled.
            tasks.cancelAll()
            for await answer in tasks {
                if let answer, answer.holds { holding.append(answer.peer) }
            }
            return holding
        }
    }
}
