package import Journal

/// Ships one journal to one peer: decides what to read, what to append and when to begin again.
///
/// The driver reports facts (past tense) and then performs every action that `nextAction()` gives. Batches are appended
/// in order with many in flight; the target's guard accepts a batch only right behind its predecessor, so one refusal
/// refuses all that follow it. The machine then lets the window run dry and resumes from the target's own cursor.
/// What it believes about the target is therefore never older than the last alignment.
package struct MirrorMachine: Sendable {
    /// A run of entries, read after `previous`, ending with `last`. The bytes stay with the driver.
    package struct Batch: Hashable, Sendable {
        package let previous: EntryID
        package let last: EntryID
        package let byteCount: Int

        package init(previous: EntryID, last: EntryID, byteCount: Int) {
            self.previous = previous
            self.last = last
            self.byteCount = byteCount
        }
    }

    package enum Action: Hashable, Sendable {
        /// Read the target's cursor and compare lineage, after a pause that grows with `attempt` (from 0, without
        /// pause); answer with `aligned`, `parted`, `diverged` or `refused`.
        case align(attempt: Int)
        /// Mend the copy or its journal; answer with `repaired`, `diverged` or `refused`.
        case repair
        /// Read the source behind this ID; answer with `sourceRead` or `readFailed`.
        case read(after: EntryID)
        /// Append at the target; answer with `appended` or `refused`.
        case append(Batch)
        /// Wait for an operator; nothing more follows until `lookedAgain`.
        case stop(Divergence)
    }

    private enum State: Sendable {
        /// No cursor is known. → aligning, stopped
        case unaligned
        /// The target was asked for its cursor. → streaming, repairing, unaligned, stopped
        case aligning
        /// The copy, or its journal, is being mended. → unaligned, stopped
        case repairing
        /// Batches flow. → draining, unaligned, stopped
        case streaming
        /// A batch was refused; answers of the batches behind it are awaited. → unaligned, aligning, stopped
        case draining
        /// Only an operator can mend it. → unaligned, draining
        case stopped
    }

    /// Bytes in flight at most; at least bandwidth × round trip, or a far peer starves.
    private let windowBytes: Int
    private var state: State = .unaligned
    private var pending: [Action] = []
    private var batchesInFlight = 0
    private var attempt = 0

    /// Whether a read was asked for whose answer is still owed.
    package private(set) var isReading = false
    /// The last entry read, or the cursor that reading began behind.
    package private(set) var readCursor = EntryID.zero
    /// Bytes read and not yet acknowledged.
    package private(set) var bytesInFlight = 0
    /// Everything up to here is on the target, by the target's own word.
    package private(set) var acknowledged = EntryID.zero

    package init(windowBytes: Int) {
        precondition(windowBytes > 0, "a window of \(windowBytes) bytes ships nothing")
        self.windowBytes = windowBytes
    }

    /// Whether batches flow.
    package var isStreaming: Bool { if case .streaming = state { true } else { false } }

    /// Whether the journal was given up until its lineage is mended.
    package var isStopped: Bool { if case .stopped = state { true } else { false } }

    // MARK: Facts

    /// The target holds everything up to `cursor`, and its lineage matches the source's.
    package mutating func aligned(at cursor: EntryID) {
        guard case .aligning = state else { return }
        acknowledged = cursor
        readCursor = cursor
        isReading = false  // a read still outstanding began elsewhere; its answer will not match
        state = .streaming
    }

    /// The copy does not continue its journal, which can be mended from here.
    package mutating func parted() {
        guard case .aligning = state else { return }
        attempt += 1  // what was mended in vain is not tried without pause
        state = .repairing
        pending.append(.repair)
    }

    /// The copy was mended, or found to need it no more.
    package mutating func repaired() {
        guard case .repairing = state else { return }
        acknowledged = .zero  // until the copy says where it ends now
        state = .unaligned
    }

    /// The copy does not continue its journal, and waits for an operator.
    package mutating func diverged(_ divergence: Divergence) {
        if case .stopped = state { return }
        dropUnsent()
        state = .stopped
        pending.append(.stop(divergence))
    }

    /// The source answered a read with entries. An answer that does not continue what was read is dropped.
    package mutating func sourceRead(_ batch: Batch) {
        guard case .streaming = state, isReading, batch.previous == readCursor else { return }
        isReading = false
        readCursor = batch.last
        batchesInFlight += 1
        bytesInFlight += batch.byteCount
        pending.append(.append(batch))
    }

    /// The read behind `cursor` gave nothing: there was nothing, or its connection is gone.
    package mutating func readFailed(after cursor: EntryID) {
        if cursor == readCursor { isReading = false }
    }

    /// The target took a batch.
    package mutating func appended(_ batch: Batch) {
        settle(batch)
        acknowledged = max(acknowledged, batch.last)
        attempt = 0
    }

    /// The target refused a batch, and will refuse those behind it.
    package mutating func refused(_ batch: Batch, _ refusal: Refusal) {
        settle(batch)
        refused(refusal)
    }

    /// The target, or the source, refused to say where it stands.
    package mutating func refused(_ refusal: Refusal) {
        switch refusal {
        case .cursor: beginAgain()
        case .unavailable:
            if case .draining = state {} else { attempt += 1 }
            beginAgain()
        case .fenced, .forked:
            beginAgain()  // aligning tells which lineage broke
        case .unexpected: diverged(.refused)
        }
    }

    /// The source may have another history than a moment ago: look again before anything more is shipped.
    package mutating func sourceChanged() {
        switch state {
        case .aligning, .repairing: break
        case .unaligned, .streaming, .draining, .stopped: beginAgain()
        }
    }

    /// An operator may have mended what stopped the journal: align again.
    package mutating func lookedAgain() {
        if case .stopped = state { state = batchesInFlight == 0 ? .unaligned : .draining }
    }

    /// The link to the target is gone, and with it every answer still owed. What arrived there is unknown until aligned.
    package mutating func linkLost() {
        dropUnsent()
        batchesInFlight = 0
        bytesInFlight = 0
        if case .stopped = state { return }
        state = .unaligned
    }

    // MARK: Actions

    /// The next thing to do, or nil until another fact is reported.
    package mutating func nextAction() -> Action? {
        if !pending.isEmpty { return pending.removeFirst() }
        switch state {
        case .unaligned:
            state = .aligning
            return .align(attempt: attempt)
        case .draining where batchesInFlight == 0:
            state = .aligning
            return .align(attempt: attempt)
        case .streaming where !isReading && bytesInFlight < windowBytes:
            isReading = true
            return .read(after: readCursor)
        case .aligning, .repairing, .streaming, .draining, .stopped:
            return nil
        }
    }

    private mutating func settle(_ batch: Batch) {
        batchesInFlight -= 1
        bytesInFlight -= batch.byteCount
    }

    private mutating func beginAgain() {
        if case .stopped = state { return }
        dropUnsent()
        state = batchesInFlight == 0 ? .unaligned : .draining
    }

    /// Forgets appends and repairs that nobody has asked for yet; a stop stands.
    private mutating func dropUnsent() {
        let unsent = pending
        pending.removeAll()
        for action in unsent {
            switch action {
            case .append(let batch): settle(batch)
            case .repair: break
            case .align, .read, .stop: pending.append(action)
            }
        }
    }
}
