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
    /// Whether it has since the link was run last.
    var wasHeard = false
    /// Whether the peer has refused entries as another history's since both were compared.
    var wasFenced = false
    /// Whether both ends have said in this session where they stand, as of one history: then their counts compare.
    var isMeasured = false
    /// The read that the machine asked for and that no connection has taken yet.
    var wantedRead: EntryID?
    /// What the last read gave, until the machine asks to append it.
    var batch: EntryBatch?
    /// Entries that the copy holds or held, by the target's count and what was acknowledged since.
    var copied: UInt64 = 0
    /// Entries that left the journal before this copy had them.
    var missed: UInt64 = 0
    /// The same as it is noted beside the copy.
    var gap: CopyGap?
    /// Where those are, as far as this was found since the link began.
    var gaps = EntryGaps()
    /// Up to where entries were counted at both ends: what the copy lacks up to here is in `gaps`.
    var compared = EntryID.zero
    /// Whether the copy was found to lack some beyond, and not yet up to where.
    var isGapOpen = false
    /// Entries of the journal up to the read cursor: those read and those missed. What the source counts beyond it, it
    /// lost between two reads.
    var passed: UInt64 = 0
    /// Whether something was read since `passed` was compared with the source's count.
    var isUncounted = true
    /// Whether the last read found nothing more.
    var isCaughtUp = false
    /// Whether the next entry would be read at once: nothing is left that was not.
    var isAtEnd: Bool { isCaughtUp && machine.isStreaming && machine.isReading && wantedRead == nil }
    /// What is to be mended before the machine goes on.
    var repair: CopyRepair?
    /// The last closed copy that was counted and logged here.
    var toldCopy: ClosedCopy?

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
    /// How large an entry may be, bytes; sizes the next read. Begins with caution, rises at once with what is read and
    /// falls slowly.
    var entryBytes: Int
    /// Which journal is asked for first by the next read, where not all can be.
    var turn = 0
    /// When the journals' counts are compared with the source's again.
    var nextCount = NIODeadline.now()
    var countTurn = 0
    /// Whether a blocking read is under way.
    var isReading = false
    /// Whether entries are let gather before the next one.
    var isGathering = false
    private var waiter: CheckedContinuation<Void, Never>?

    init(entryBytes: Int) {
        self.entryBytes = entryBytes
    }

    /// Suspends until `wake()`.
    func wait(isolation: isolated (any Actor)? = #isolation) async {
        await withCheckedContinuation { waiter = $0 }
    }

    func wake() {
        waiter?.resume()
        waiter = nil
    }
}
