/// Why a copy does not continue its journal. Nothing is written to it until that is mended.
///
/// Of a journal that lost its tail, was created anew or rewritten, the copy heals the journal or is set aside; the other
/// causes wait for an operator.
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
    /// A write was refused in a way that no contract allows.
    case refused

    /// What an operator can do about it.
    package var advice: String {
        switch self {
        case .copyClosed: "the peer gave this copy up; see `regionsync journals` there, and `closed` in its :meta"
        case .copyForeign, .copyWritten:
            "find out who writes to this key in the peer's Redis; rename the stream there and delete its :meta to begin anew"
        case .sourceClosed: "a closed journal ends here; its successor has a birth mark of its own"
        case .bornAgain, .tailLost, .cursorMissing:
            "see what happened to this region's Redis; the closed copy holds entries that the journal lost "
                + "(`regionsync journals` there, then XRANGE), delete it and its :meta when they are not needed any more"
        case .refused: "see the error of the peer's Redis in the log"
        }
    }
}
