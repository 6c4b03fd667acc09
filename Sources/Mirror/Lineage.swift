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
    /// Whether the entry at the asked cursor is there.
    package let holdsCursor: Bool
    package let isClosed: Bool

    package init(birth: String, floor: EntryID, generated: EntryID, holdsCursor: Bool, isClosed: Bool) {
        self.birth = birth
        self.floor = floor
        self.generated = generated
        self.holdsCursor = holdsCursor
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
        case .copyClosed: "the peer gave this copy up; see `regionsync journals` there"
        case .copyForeign, .copyWritten:
            "find out who writes to this key in the peer's Redis; rename the stream there and delete its :meta to begin anew"
        case .sourceClosed: "a closed journal ends here; its successor has a birth mark of its own"
        case .bornAgain, .tailLost, .cursorMissing, .trimmedBeyond:
            "the copy holds entries or has gaps that the journal cannot explain; compare with `regionsync verify`, then "
                + "rename the copy and delete its :meta in the peer's Redis to begin it anew"
        case .refused: "see the error of the peer's Redis in the log"
        }
    }
}

/// Decides whether a copy may be continued, and where (journal.md, mirror rules 1 and 2).
package enum Lineage {
    /// The cursor to resume behind; throws the reason why there is none.
    package static func resumption(copy: CopyState, source: SourceState) throws(Divergence) -> EntryID {
        guard let birth = copy.birth else { throw .copyForeign }
        if copy.isClosed { throw .copyClosed }
        if source.isClosed { throw .sourceClosed }
        if birth != source.birth { throw .bornAgain }
        if copy.generated != copy.last { throw .copyWritten }
        if copy.last == .zero { return .zero }
        if copy.last > source.generated { throw .tailLost }
        if source.holdsCursor || copy.last == source.floor { return copy.last }
        throw copy.last < source.floor ? .trimmedBeyond : .cursorMissing
    }
}
