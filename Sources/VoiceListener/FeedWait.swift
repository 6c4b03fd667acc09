internal import Journal
internal import RESP

/// What a client waits for.
struct FeedWait: Hashable, Sendable {
    /// A journal, and what the client has of it.
    struct Stream: Hashable, Sendable {
        /// What the client calls it.
        let name: String
        let journal: JournalName
        /// Entries behind here are wanted; of no meaning to groups and watches.
        var after: EntryID

        init(_ name: String, _ journal: JournalName, behind after: EntryID = .zero) {
            self.name = name
            self.journal = journal
            self.after = after
        }
    }

    enum Purpose: Hashable, Sendable {
        /// Entries of any of the streams, once; of each so many at most.
        case entries(limit: Int)
        /// To look in Redis for what a consumer of the group gets, whenever there is something new.
        case group(String)
        /// Everything new from now on, until the client does not watch any more. Streams are named by their regions.
        case watch(number: Int64)
    }

    let streams: [Stream]
    let purpose: Purpose
    /// When to give up; nil: never.
    let deadline: Duration?
}

/// What is known of a journal besides its entries.
struct StreamFacts: Hashable, Sendable {
    /// Its mark; nil where it has none yet.
    var birth: String?
    /// The highest ID that was trimmed.
    var floor = EntryID.zero
    /// What former lives had that is gone.
    var parted: [PartedEntries] = []
    /// The last ID that was given out.
    var generated = EntryID.zero
    /// The oldest entry; nil where there is none.
    var first: EntryID?
    /// Whether the last entry known when the look left is there.
    var hasLast = false
    /// The newest entry below it where it is not there and nobody removed it.
    var survivor: EntryID?
}

/// What a look at a journal found.
enum StreamLook: Hashable, Sendable {
    case facts(StreamFacts)
    /// The server does not let it be read, such as for its kind: what clients are told.
    case refused(ReplyError)
    /// The server does not answer.
    case unreachable
}
