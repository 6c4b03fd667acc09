internal import Journal
internal import NIOCore
internal import RESP
internal import RedisClient

/// Journals as `XREAD` asks for and answers them; what mirror and projection read through.
enum StreamReads {
    /// `XREAD COUNT … [BLOCK …] STREAMS …`; nil block time: answer at once.
    static func command(_ cursors: [JournalCursor], count: Int, blockTime: Duration?) -> RedisCommand {
        var words = ["XREAD", "COUNT", String(count)]
        if let blockTime { words += ["BLOCK", String(max(1, blockTime.milliseconds))] }
        words.append("STREAMS")
        words += cursors.map(\.journal.key)
        words += cursors.map(\.last.description)
        let command = RedisCommand(words: words, runs: [])
        return blockTime.map { command.blocking(for: $0) } ?? command
    }

    /// The batches in an answer; the entries' bytes stay where the reply has them.
    ///
    /// A reply that is no answer to that command gives `Refusal.unexpected`.
    static func batches(
        in reply: RedisReply, of cursors: [JournalCursor]
    ) throws(Refusal) -> [JournalRead] {
        guard let streams = reply.streams else { throw .unexpected("XREAD answered something else") }
        guard !streams.isEmpty else { return [] }
        var known: [String: JournalCursor] = [:]
        for cursor in cursors { known[cursor.journal.key] = cursor }
        var batches: [JournalRead] = []
        batches.reserveCapacity(streams.count)
        for stream in streams where !stream.entries.isEmpty {
            guard let cursor = known[String(buffer: stream.key)], let last = stream.entries.lastID,
                let id = EntryID(ascii: last.readableBytesView)
            else { throw .unexpected("XREAD answered for another stream") }
            batches.append(JournalRead(cursor.journal, EntryBatch(stream.entries, previous: cursor.last, last: id)))
        }
        return batches
    }
}

extension EntryBatch {
    /// The entries of a read, without copying them.
    init(_ entries: StreamEntries, previous: EntryID, last: EntryID) {
        self.init(
            previous: previous, last: last, strings: BulkStrings(wire: entries.wire, count: entries.wireCount),
            shape: Shape(runs: entries.runs.map { Shape.Run(entries: $0.entries, fields: $0.fields) }))
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}

extension Refusal {
    /// Sorts what a connection reports, once for all adapters.
    init(_ error: any Error) {
        switch error {
        case let refusal as Refusal: self = refusal
        case RedisError.server(let code, let message): self.init(code: code, message: message)
        case RedisError.authentication(let message): self = .unavailable(message)
        default: self = .unavailable("\(error)")
        }
    }
}
