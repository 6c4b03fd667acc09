package import Journal
package import NIOCore

/// What a read found, and the birth mark of the region's control journal as it was behind the read: a server that was
/// flushed or restored in between shows another mark, and what it gave is of another history.
package struct MarkedReads: Sendable {
    package let reads: [JournalRead]
    package let mark: String?

    package init(reads: [JournalRead], mark: String?) {
        self.reads = reads
        self.mark = mark
    }
}

/// What a server is at the moment; another value means that it may have another history.
package struct ServerIdentity: Hashable, Sendable {
    package let runID: String
    package let replicationID: String

    package init(runID: String, replicationID: String) {
        self.runID = runID
        self.replicationID = replicationID
    }
}

/// One connection that reads journals; a blocked read keeps it busy.
///
/// Futures belong to the link's event loop. They fail with `Refusal.unavailable` when the connection is gone.
package protocol JournalReader: Sendable {
    /// Up to `count` entries of each journal behind its cursor; waits up to `blockTime` for the first one, then answers
    /// an empty list. Fails with `Refusal.unexpected` when there is more than the reader takes, or one of the journals
    /// cannot be read; the reader is of no more use then.
    func read(_ cursors: [JournalCursor], count: Int, blockTime: Duration) -> EventLoopFuture<MarkedReads>
    /// Entries ever added at or below each cursor, behind all reads asked before; where none of them is left, also those
    /// above it that are gone. Nil when more than `limit` follow.
    func passed(_ cursors: [JournalCursor], limit: Int) -> EventLoopFuture<[UInt64?]>
    func close()
}

/// The region's own Redis, from which a link reads.
package protocol MirrorSource: Sendable {
    /// Another reading connection, which no reply of more than `replyBytes` passes. Throws `Refusal` when there is none to
    /// be had now.
    func reader(named name: String, replyBytes: Int) async throws(Refusal) -> any JournalReader
    /// What the journal is, asked with the cursor and the mark of a peer's copy; a journal without a birth mark gets one.
    func lineage(
        of journal: JournalName, cursor: EntryID, peer: String, copyBirth: String?
    ) -> EventLoopFuture<SourceState>
    /// Notes beside the journal how many entries up to its cursor a peer's copy will never have.
    func note(missed: UInt64, known: UInt64, by peer: String, of journal: JournalName, birth: String)
    /// Forgets, and answers, how many entries that a peer lacks were counted as lost when they were removed.
    func takeCounted(by peer: String, of journal: JournalName, birth: String) -> EventLoopFuture<UInt64>
    /// The newest entry at or below an ID.
    func newest(of journal: JournalName, through id: EntryID) -> EventLoopFuture<KeptEntry?>
    /// Appends again what the journal lost; gives its last ID. Fails with `Refusal`.
    func heal(_ journal: JournalName, with healing: Healing, entries: EntryBatch?) -> EventLoopFuture<EntryID>
    /// Prepares the journal for that a peer's copy is set aside; gives its mark. Fails with `Refusal`.
    func rebear(_ journal: JournalName, _ rebirth: Rebirth, peer: String) -> EventLoopFuture<String>
    /// The birth marks as they are now; nil for a journal that has none, or whose mark cannot be read.
    func births(of journals: [JournalName]) -> EventLoopFuture<[String?]>
    /// Entries ever added to each journal; nil where there is no stream.
    func entriesAdded(to journals: [JournalName]) -> EventLoopFuture<[UInt64?]>
    func identity() -> EventLoopFuture<ServerIdentity>
    /// Writes a probe for a peer into a control journal, with the heartbeat if there is one, and with what is captured
    /// where it is; answers its ID.
    func probe(
        _ journal: JournalName, to peer: String, _ heartbeat: Heartbeat?, captured: Position?
    ) -> EventLoopFuture<EntryID>
    /// Makes a blocked read of `reader` answer at once with what there is.
    func interrupt(_ reader: any JournalReader)
    /// What the link of `peer` to this region has left here last.
    func knock(of peer: String) -> EventLoopFuture<Knock?>
    /// Succeeds when the connection is gone, with why.
    var closed: EventLoopFuture<LinkLoss> { get }
    func close()
}

/// A peer region's Redis, to which a link appends. Appends are sent in the order in which they are called.
package protocol MirrorTarget: Sendable {
    /// Where the copy in `region` stands; an empty one is born with the journal's mark, `birth`.
    func open(_ journal: JournalName, birth: String, in region: String) -> EventLoopFuture<CopyState>
    /// Notes beside the copy in `region` what it will never have, where that is `known` still.
    func note(_ gap: CopyGap, known: CopyGap?, in region: String, of journal: JournalName, birth: String)
    /// The newest entry at or below an ID.
    func newest(of journal: JournalName, through id: EntryID) -> EventLoopFuture<KeptEntry?>
    /// Up to `count` entries of the copy behind an entry; nil for none.
    func tail(of journal: JournalName, behind id: EntryID, count: Int) -> EventLoopFuture<EntryBatch?>
    /// Gives the copy its journal's present mark. Fails with `Refusal`.
    func adopt(_ journal: JournalName, _ adoption: Adoption) -> EventLoopFuture<Void>
    /// Sets the copy aside; the new one's mark is `birth`. Fails with `Refusal`.
    func fork(_ journal: JournalName, _ fork: Fork, birth: String) -> EventLoopFuture<Void>
    /// Lets the copy's region know of a gap in it that it does not know of yet. Fails with `Refusal`.
    func noteGap(in journal: JournalName, birth: String) -> EventLoopFuture<Void>
    /// Notes beside the copy that it was told of the one before it.
    func told(of copy: ClosedCopy, of journal: JournalName)
    /// Forgets closed copies that are no longer there; gives their journals.
    func forgetGone(_ copies: [JournalName: ClosedCopy]) -> EventLoopFuture<[JournalName]>
    /// The guarded append; gives the last ID. Fails with `Refusal`.
    func append(_ batch: EntryBatch, to journal: JournalName, birth: String) -> EventLoopFuture<EntryID>
    /// Why nothing more may be written to the server, as it is set up now; nil while it may.
    func unfitness() -> EventLoopFuture<LinkLoss?>
    /// Leaves a sign of life of the link from `region`.
    func leave(_ knock: Knock, from region: String) -> EventLoopFuture<Void>
    /// What the way to the peer does; nil where that is unknown.
    func path() -> EventLoopFuture<Gathering.Path?>
    /// Succeeds when the connection is gone, with why.
    var closed: EventLoopFuture<LinkLoss> { get }
    func close()
}

/// Makes the two ends of a link; both belong to the link's event loop.
package protocol MirrorConnector: Sendable {
    func source() async throws(Refusal) -> any MirrorSource
    /// Leaves `knock` with the first bytes that it sends, before anything is answered.
    func target(leaving knock: Knock) async throws(LinkLoss) -> any MirrorTarget
}
