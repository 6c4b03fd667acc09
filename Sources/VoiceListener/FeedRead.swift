internal import Journal
internal import Projection

/// What a reader of the feed found of one journal.
struct FeedRead: Sendable {
    let journal: JournalName
    let chunk: EntryChunk

    /// - Throws: `unreachable` where the batch does not hold what it says, as of a server that answers nonsense.
    init(_ read: JournalRead) throws(StoreFailure) {
        journal = read.journal
        do {
            chunk = try EntryChunk(read.batch)
        } catch {
            throw .unreachable("entries that cannot be read: \(error)")
        }
    }

    /// All that a read brought.
    static func all(of reads: [JournalRead]) throws(StoreFailure) -> [FeedRead] {
        var found: [FeedRead] = []
        found.reserveCapacity(reads.count)
        for read in reads { found.append(try FeedRead(read)) }
        return found
    }
}
