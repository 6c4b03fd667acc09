internal import Journal
internal import Logging
internal import NIOCore
internal import Observability
internal import RESP
internal import RedisClient

// The byte budget of a journal: beyond it the oldest entries go, whoever lacks them. What a peer lacked is counted as lost
// by the link to it, which knows what it has read; of a peer that is away here, since it may never come back.
extension Trimmer {
    /// Memory that a journal took.
    struct Usage: Sendable {
        let bytes: Int
        let time: Duration
    }

    /// Entries that one call removes at most, and one round in all: a journal far beyond its budget comes back to it in
    /// several rounds.
    private static let entriesPerCall = 1000
    private static let callsPerRound = 256
    /// More entries than that, which a peer has of a transaction that is cut in two, are not looked for.
    private static let entriesPerTransaction = 100_000

    /// Removes the oldest entries of a journal that takes more than it may.
    func enforceBudget(
        of journal: Found, readers: [Reader], at now: Duration, through connection: RedisConnection,
        headrooms: inout [String: Duration]
    ) async throws {
        guard let budget = settings.maximumBytes else { return }
        let name = journal.name
        // Before the sizes: what somebody else removes from here on makes them, and what follows from them, void.
        let floor = try await connection.send(RedisCommand("HGET", name.metaKey, "floor")).string ?? ""
        let bytes = try await connection.send(RedisCommand("MEMORY", "USAGE", name.key)).integer.map { Int($0) } ?? 0
        let length = try await connection.send(RedisCommand("XLEN", name.key)).integer.map { Int($0) } ?? 0
        let before = usages.updateValue(Usage(bytes: bytes, time: now), forKey: name)
        if let before, let time = Self.headroom(before, bytes: bytes, budget: budget, at: now) {
            for reader in readers {
                guard let peer = reader.peer, reader.cursor != journal.last else { continue }
                headrooms[peer] = min(headrooms[peer] ?? time, time)
            }
        }
        guard bytes > budget, length > 0 else { return }
        let kept = Int(Double(length) * Double(budget) / Double(bytes))
        try await behead(
            journal, floor: floor, by: length - kept, entryBytes: bytes / length, readers: readers, through: connection)
    }

    /// Time until the budget is used up at the rate since `before`; nil when it does not come closer.
    private static func headroom(_ before: Usage, bytes: Int, budget: Int, at now: Duration) -> Duration? {
        guard bytes > before.bytes, now > before.time else { return nil }
        return (now - before.time) * (Double(max(0, budget - bytes)) / Double(bytes - before.bytes))
    }

    private func behead(
        _ journal: Found, floor: String, by excess: Int, entryBytes: Int, readers: [Reader],
        through connection: RedisConnection
    ) async throws {
        let name = journal.name
        var floor = floor
        // Redis copies what it removes: about a MiB a call.
        let most = min(Self.entriesPerCall, max(1, (1 << 20) / max(entryBytes, 1)))
        var removed = 0
        var last = EntryID.zero
        var absentees = try await absentees(of: journal, through: connection)
        for _ in 0..<Self.callsPerRound where removed < excess {
            let count = min(most, excess - removed)
            absentees = await stillAway(absentees)
            let command = JournalFunctions.behead(name, by: count, birth: journal.birth, floor: floor)
            for index in absentees.indices {
                try await absentees[index].look(at: count, of: name, through: connection)
            }
            guard let id = try await connection.call(command).get().entryID else { break }
            last = id
            floor = id.description
            removed += count
            for absentee in absentees { try await went(count, of: journal, lackedBy: absentee, through: connection) }
        }
        if name.topic == .provisioning {
            // The rest of the transaction goes too: nobody could apply it.
            let next = EntryID(first: last.first &+ 1, second: 0)
            absentees.removeAll { !$0.mayLack(theRestOf: last) }
            for index in absentees.indices {
                try await absentees[index].look(at: Self.entriesPerTransaction, of: name, through: connection)
            }
            let trim = JournalFunctions.trim(name, minimum: next, birth: journal.birth)
            let rest = Int(clamping: try await connection.call(trim).get().integer ?? 0)
            for absentee in absentees { try await went(rest, of: journal, lackedBy: absentee, through: connection) }
        }
        let isMissed = readers.contains { $0.cursor.map { $0 < last } ?? true }
        logger.log(
            isMissed ? .warning : .info,
            isMissed
                ? "Journal is over its budget; entries went that a reader lacks"
                : "Journal is over its budget; its oldest entries went",
            [.journal: "\(name)", .entries: "\(removed)", .entryLast: "\(last)"])
    }
}
