internal import Journal
internal import NIOCore

/// One journal of a link; belongs to the link's actor.
final class MirroredJournal {
    let name: JournalName
    /// Index of the group that reads it.
    let group: Int
    var machine: MirrorMachine
    var birth = ""
    /// Whether the peer has ever said where its copy stands.
    var wasAligned = false
    /// Whether its stop was reported, and its end not yet.
    var isReportedStopped = false
    /// The read that the machine asked for and that no connection has taken yet.
    var wantedRead: EntryID?
    /// What the last read gave, until the machine asks to append it.
    var batch: EntryBatch?
    /// Entries that the copy holds or held, by the target's count and what was acknowledged since.
    var copied: UInt64 = 0
    /// Whether the last read found nothing more.
    var isCaughtUp = false
    /// Mean size of an entry read, bytes; sizes the next reads.
    var entryBytes = 300

    init(name: JournalName, group: Int, windowBytes: Int) {
        self.name = name
        self.group = group
        machine = MirrorMachine(windowBytes: windowBytes)
    }
}

/// Journals that are read together, through one connection; belongs to the link's actor.
final class ReadGroup {
    var journals: [MirroredJournal] = []
    var reader: (any JournalReader)?
    /// Whether a blocking read is under way.
    var isReading = false
    private var waiter: CheckedContinuation<Void, Never>?

    /// Suspends until `wake()`.
    func wait(isolation: isolated (any Actor)? = #isolation) async {
        await withCheckedContinuation { waiter = $0 }
    }

    func wake() {
        waiter?.resume()
        waiter = nil
    }
}
