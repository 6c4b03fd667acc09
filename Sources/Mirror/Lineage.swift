package import Journal

/// What a peer says of its copy of a journal.
package struct CopyState: Hashable, Sendable {
    /// The mark of the journal that the copy is of; nil when the stream has no meta: somebody else made it.
    package let birth: String?
    /// The last entry that was appended under guard: the copy's cursor.
    package let last: EntryID
    /// Entries appended since the copy began.
    package let count: UInt64
    /// The last ID that the stream itself has given out.
    package let generated: EntryID
    package let isClosed: Bool

    package init(birth: String?, last: EntryID, count: UInt64, generated: EntryID, isClosed: Bool) {
        self.birth = birth
        self.last = last
        self.count = count
        self.generated = generated
        self.isClosed = isClosed
    }
}

/// What the region of birth says of a journal, asked with the cursor of a copy.
package struct SourceState: Hashable, Sendable {
    /// Drawn when the stream was created or its history forked.
    package let birth: String
    /// The highest ID that its owner has trimmed.
    package let floor: EntryID
    /// The last ID that the stream has given out.
    package let generated: EntryID
    /// The newest entry at or below the cursor; nil where all of them are gone.
    package let found: EntryID?
    /// Entries ever added at or below the cursor; where none of them is left, also those above it that are gone. Nil when
    /// it would take long to count.
    package let passed: UInt64?
    /// Entries known never to have come to this copy.
    package let missed: UInt64
    package let isClosed: Bool

    package init(
        birth: String, floor: EntryID, generated: EntryID, found: EntryID?, passed: UInt64?, missed: UInt64,
        isClosed: Bool
    ) {
        self.birth = birth
        self.floor = floor
        self.generated = generated
        self.found = found
        self.passed = passed
        self.missed = missed
        self.isClosed = isClosed
    }
}

/// Why a copy does not continue its journal. Nothing is written to it until that is mended.
package enum Divergence: String, Error, Hashable, Sendable, CaseIterable {
    /// The peer closed its copy.
    case copyClosed = "copy-closed"
    /// The peer has a stream of that name which no mirror made.
    case copyForeign = "copy-foreign"
    /// Somebody else wrote to the copy.
    case copyWritten = "copy-written"
    /// The journal was closed where it is born.
    case sourceClosed = "source-closed"
    /// The journal was created anew: its Redis was flushed, or restored without it.
    case bornAgain = "born-again"
    /// The journal ends before its copy does: its Redis lost the tail.
    case tailLost = "tail-lost"
    /// The entry at the cursor is gone and its owner did not trim it: history was rewritten.
    case cursorMissing = "cursor-missing"
    /// Its owner trimmed entries that this copy never got.
    case trimmedBeyond = "trimmed-beyond"
    /// A write was refused in a way that no contract allows.
    case refused

    /// What an operator can do about it.
    package var advice: String {
        switch self {
        case .copyClosed: "the peer gave this copy up; see `regionsync journals` there, and `closed` in its :meta"
        case .copyForeign, .copyWritten:
            "find out who writes to this key in the peer's Redis; rename the stream there and delete its :meta to begin anew"
        case .sourceClosed: "a closed journal ends here; its successor has a birth mark of its own"
        case .trimmedBeyond:
            "what the peer lacks is not in the journal any more: stop the peer's worker, copy the stream, its :meta, cfg:* and "
                + "rs:*:projection from the region of birth (MIGRATE … COPY KEYS), start it again"
        case .bornAgain, .tailLost, .cursorMissing:
            "the copy holds entries or has gaps that the journal cannot explain; compare with `regionsync verify`, then "
                + "rename the copy and delete its :meta in the peer's Redis to begin it anew"
        case .refused: "see the error of the peer's Redis in the log"
        }
    }
}

/// Where a copy is continued.
package struct Resumption: Hashable, Sendable {
    /// The entry to read behind.
    package let cursor: EntryID
    /// Entries that left the journal before this copy had them, beyond those known before.
    package let lost: UInt64

    package init(cursor: EntryID, lost: UInt64) {
        self.cursor = cursor
        self.lost = lost
    }
}

/// Decides whether a copy may be continued, and where (journal.md, mirror rules 1 and 2).
package enum Lineage {
    /// Where to resume; throws the reason why there is no such place.
    ///
    /// A copy may go on behind a gap where every entry stands for itself. A provisioning journal is the only word that a
    /// peer has of an object, so there a gap stops it.
    package static func resumption(
        of topic: Topic, copy: CopyState, source: SourceState
    ) throws(Divergence) -> Resumption {
        guard let birth = copy.birth else { throw .copyForeign }
        if copy.isClosed { throw .copyClosed }
        if source.isClosed { throw .sourceClosed }
        if birth != source.birth { throw .bornAgain }
        if copy.generated != copy.last { throw .copyWritten }
        if copy.last > source.generated { throw .tailLost }
        let known = copy.count + source.missed
        let lost = source.passed.map { $0 > known ? $0 - known : 0 } ?? 0
        let resumption = Resumption(cursor: copy.last, lost: lost)
        if topic == .provisioning, source.passed ?? known > copy.count { throw .trimmedBeyond }
        if source.found == copy.last { return resumption }
        // All up to the cursor is gone: trimmed, unless fewer were ever added than the copy holds.
        let isTrimmed = source.found == nil && (source.passed.map { $0 >= copy.count } ?? (copy.last <= source.floor))
        guard isTrimmed else { throw .cursorMissing }
        if topic == .provisioning, source.passed == nil, copy.last < source.floor { throw .trimmedBeyond }
        return resumption
    }
}
