internal import Journal
internal import Projection
internal import RESP
internal import RESPServer

// How a connection learns that other regions hold what it has written.
extension VoiceWrites {
    /// A client that wants to wait longer asks again.
    private static let longestPatience = Duration.seconds(86_400)
    private static let pageSize = 32

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
        let count = await count(of: entries, wanted: regions, patience: patience)
        guard count == 0 || entries.isEmpty else { return await confirmed(count, entries) }
        return .integer(Int64(count))
    }

    /// The answer, unless the region's Redis has lost what was written before any peer had it, or cannot be asked whether it
    /// has: a peer may hold what others wrote later, and not that.
    private func confirmed(_ count: Int, _ entries: [JournalName: EntryID]) async -> Reply {
        let all = Array(entries)
        do throws(ReplyError) {
            // The answers carry the entries whole.
            for start in stride(from: 0, to: all.count, by: Self.pageSize) {
                let lost = try await lost(of: all[start..<min(start + Self.pageSize, all.count)])
                if let (journal, entry) = lost.first {
                    return .error("STALE", "the region's Redis has lost \(entry) of tenant \(journal.tenant)")
                }
            }
        } catch {
            return .error(error)
        }
        return .integer(Int64(count))
    }

    /// Those entries that are not there any more and were not trimmed.
    private func lost(
        of entries: ArraySlice<(key: JournalName, value: EntryID)>
    ) async throws(ReplyError) -> [(journal: JournalName, entry: EntryID)] {
        do throws(StoreFailure) {
            let found = try await store.answers(
                entries.map { RedisCommand("XRANGE", $0.key.key, $0.value.description, $0.value.description) })
            let floors = try await store.answers(entries.map { RedisCommand("HGET", $0.key.metaKey, "floor") })
            return zip(entries, zip(found, floors)).compactMap { asked, answers in
                let (entry, floor) = answers
                let isTrimmed = floor.text.flatMap { EntryID($0) }.map { $0 >= asked.value } ?? false
                return entry.elements.isEmpty && !isTrimmed ? (journal: asked.key, entry: asked.value) : nil
            }
        } catch {
            throw ReplyError(ofRead: error)
        }
    }

    /// How many peers hold the entries: once `wanted` of them do, when `patience` is over, or when the task is cancelled.
    private func count(of entries: [JournalName: EntryID], wanted: Int64, patience: Duration?) async -> Int {
        await withTaskGroup(of: Bool?.self) { tasks in
            for peer in peers { tasks.addTask { await peer.holds(entries) } }
            if let patience {
                tasks.addTask {
                    try? await Task.sleep(for: patience)
                    return nil
                }
            }
            var count = 0
            while count < wanted, count < peers.count, let holds = await tasks.next(), let holds {
                if holds { count += 1 }
            }
            // Those who hold it by now say so also when cancelled.
            tasks.cancelAll()
            for await holds in tasks where holds == true { count += 1 }
            return count
        }
    }
}
