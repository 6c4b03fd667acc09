internal import Journal
internal import NIOCore

/// Entries of one journal that one read gave, as elements of a reply: made once, however many clients get them.
struct EntryChunk: Sendable {
    /// The ID behind which the entries were read.
    let previous: EntryID
    /// The ID of the last of them.
    let last: EntryID
    /// Each an array of ID and strings, one behind the other.
    let wire: ByteBuffer
    /// ID of each entry and where it ends in `wire`.
    private let entries: [(id: EntryID, end: Int)]

    /// What every entry in `wire` begins with.
    private static let head = "*2\r\n".utf8.count

    /// - Throws: `EntryBatch.Malformed` where the batch does not hold what it says.
    init(_ batch: EntryBatch) throws {
        previous = batch.previous
        last = batch.last
        var wire = ByteBuffer()
        wire.reserveCapacity(batch.byteCount + batch.count * 16)
        var entries: [(id: EntryID, end: Int)] = []
        entries.reserveCapacity(batch.count)
        try batch.forEachEntry { entry in
            entry.write(to: &wire)
            entries.append((entry.id, wire.writerIndex))
        }
        self.wire = wire
        self.entries = entries
    }

    var count: Int { entries.count }

    /// The ID of the first of them.
    var first: EntryID? { entries.first?.id }

    /// What it takes of memory, about.
    var byteCount: Int { wire.readableBytes + entries.count * 24 + 200 }

    /// How many entries there are behind `after`.
    func count(behind after: EntryID) -> Int { entries.count - firstIndex(behind: after) }

    /// Entries behind `after`, `limit` at most and no more than `bytes`: how many, and their bytes.
    func entries(behind after: EntryID, limit: Int, bytes: Int = .max) -> (count: Int, wire: ByteBuffer) {
        let first = firstIndex(behind: after)
        var count = min(entries.count - first, max(limit, 0))
        guard count > 0 else { return (0, ByteBuffer()) }
        let start = first == 0 ? 0 : entries[first - 1].end
        while count > 0, entries[first + count - 1].end - start > bytes { count -= 1 }
        guard count > 0 else { return (0, ByteBuffer()) }
        let end = entries[first + count - 1].end
        return (count, wire.getSlice(at: start, length: end - start) ?? ByteBuffer())
    }

    /// Each entry's ID and the rest of it: the ID as a string and the array of strings.
    var parts: [(id: EntryID, wire: ByteBuffer)] {
        var start = 0
        return entries.map { entry in
            defer { start = entry.end }
            let from = start + Self.head
            return (entry.id, wire.getSlice(at: from, length: max(entry.end - from, 0)) ?? ByteBuffer())
        }
    }

    private func firstIndex(behind after: EntryID) -> Int {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].id > after { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
