internal import Journal
internal import NIOCore

/// The newest entries of a journal, without a gap up to the last that was read.
struct RecentEntries: Sendable {
    /// All entries behind here are kept.
    private(set) var base: EntryID
    /// The last entry that is known, kept or not.
    private(set) var last: EntryID
    /// What the kept entries take of memory.
    private(set) var byteCount = 0
    private var chunks = CircularBuffer<EntryChunk>()

    /// Of a journal that ends with `last`: none yet.
    init(behind last: EntryID) {
        base = last
        self.last = last
    }

    /// Takes what was read behind `last`.
    mutating func append(_ chunk: EntryChunk) {
        chunks.append(chunk)
        byteCount += chunk.byteCount
        last = chunk.last
    }

    /// Forgets the oldest entries as long as all of them take more than `limit` bytes.
    mutating func trim(to limit: Int) {
        while byteCount > limit, let oldest = chunks.popFirst() {
            byteCount -= oldest.byteCount
            base = oldest.last
        }
    }

    /// Whether everything behind `after` is kept.
    func reaches(_ after: EntryID) -> Bool { after >= base }

    /// Entries behind `after`, `limit` at most and no more than `bytes`: how many, and their bytes as elements of a reply.
    func entries(behind after: EntryID, limit: Int = .max, bytes: Int = .max) -> (count: Int, wire: ByteBuffer) {
        var index = firstChunk(behind: after)
        guard index < chunks.count else { return (0, ByteBuffer()) }
        var (count, wire) = chunk(index).entries(behind: after, limit: limit, bytes: bytes)
        var isWhole = count == chunk(index).count(behind: after)
        index += 1
        // Nothing follows a part.
        while index < chunks.count, count < limit, isWhole {
            let room = bytes - wire.readableBytes
            let more = chunk(index).entries(behind: after, limit: limit - count, bytes: room)
            isWhole = more.count == chunk(index).count
            wire.writeImmutableBuffer(more.wire)
            count += more.count
            index += 1
        }
        return (count, wire)
    }

    private func chunk(_ index: Int) -> EntryChunk { chunks[chunks.index(chunks.startIndex, offsetBy: index)] }

    private func firstChunk(behind after: EntryID) -> Int {
        var (low, high) = (0, chunks.count)
        while low < high {
            let middle = (low + high) / 2
            if chunk(middle).last > after { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
