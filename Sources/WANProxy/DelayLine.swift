package import NIOCore

/// One direction of one connection: decides which bytes arrive when, in the order in which they came.
///
/// Each piece gets its time of release when it comes in, so delay costs no throughput: as many are on their way as fit. A
/// value without clock and I/O; the driver reports facts, takes what `next(now:)` gives, and looks again at `wakeTime`.
package struct DelayLine: Sendable {
    /// What arrives.
    package enum Release: Hashable, Sendable {
        case bytes(ByteBuffer)
        /// The sender sends nothing more.
        case end
        /// The connection is broken, both ways.
        case reset
    }

    private struct Waiting: Sendable {
        var release: Release
        let due: NIODeadline
    }

    private var conditions: LinkConditions
    private var queue = CircularBuffer<Waiting>()
    /// When the last piece sent has left, at the rate of the link.
    private var wireFree = NIODeadline.uptimeNanoseconds(0)
    private var lastDue = NIODeadline.uptimeNanoseconds(0)
    private var bytesUntilReset: Int?
    /// Bytes on their way.
    package private(set) var queuedBytes = 0
    /// Bytes that have arrived.
    package private(set) var passedBytes = 0
    /// Whether something was swallowed: what came after it must never arrive.
    package private(set) var isBroken = false

    package init(_ conditions: LinkConditions) {
        self.conditions = conditions
    }

    // MARK: Facts

    /// The sender sent `bytes`.
    package mutating func received(_ bytes: ByteBuffer, now: NIODeadline) {
        guard bytes.readableBytes > 0 else { return }
        guard conditions.passage != .cut, !isBroken else { return isBroken = true }
        guard let rate = conditions.bytesPerSecond else {
            return enqueue(.bytes(bytes), leaving: now)
        }
        // In pieces of 10 ms, so that the link is not silent between large ones.
        var rest = bytes
        while let piece = rest.readSlice(length: min(rest.readableBytes, max(1460, rate / 100))),
            piece.readableBytes > 0
        {
            let nanoseconds = Double(piece.readableBytes) / Double(max(rate, 1)) * 1e9
            wireFree = max(now, wireFree) + .nanoseconds(Int64(nanoseconds))
            enqueue(.bytes(piece), leaving: wireFree)
        }
    }

    /// The sender closed its side.
    package mutating func ended(now: NIODeadline) { enqueueMark(.end, now: now) }

    /// The sender's connection broke.
    package mutating func broke(now: NIODeadline) { enqueueMark(.reset, now: now) }

    package mutating func changed(to conditions: LinkConditions) {
        self.conditions = conditions
        guard conditions.passage == .cut, !queue.isEmpty else { return }
        isBroken = true
        queue.removeAll()
        queuedBytes = 0
    }

    /// The connection is to be reset once so many more bytes have arrived.
    package mutating func arm(resetAfter bytes: Int) { bytesUntilReset = max(0, bytes) }

    // MARK: What follows

    /// What arrives now; nil when there is nothing until `wakeTime` or another fact.
    package mutating func next(now: NIODeadline) -> Release? {
        if bytesUntilReset == 0 {
            bytesUntilReset = nil
            return .reset
        }
        guard conditions.passage == .open, !isBroken, let first = queue.first, first.due <= now else { return nil }
        guard case .bytes(var bytes) = first.release else { return queue.removeFirst().release }
        let most = min(bytes.readableBytes, bytesUntilReset ?? .max)
        guard let arriving = bytes.readSlice(length: most) else { return nil }
        if bytes.readableBytes == 0 {
            queue.removeFirst()
        } else {
            queue[queue.startIndex].release = .bytes(bytes)
        }
        queuedBytes -= most
        passedBytes += most
        bytesUntilReset? -= most
        return .bytes(arriving)
    }

    /// When something arrives next, if nothing happens before.
    package var wakeTime: NIODeadline? {
        guard conditions.passage == .open, !isBroken else { return nil }
        return queue.first?.due
    }

    /// Whether the sender may send more: memory is bounded, a full line makes it wait.
    package var wantsMore: Bool { conditions.passage == .cut || isBroken || queuedBytes < conditions.capacity }

    private mutating func enqueueMark(_ mark: Release, now: NIODeadline) {
        guard conditions.passage != .cut, !isBroken else { return isBroken = true }
        enqueue(mark, leaving: max(now, wireFree))
    }

    /// Never before what was sent earlier, though the delay has become shorter.
    private mutating func enqueue(_ release: Release, leaving departure: NIODeadline) {
        lastDue = max(lastDue, departure + TimeAmount(conditions.delay))
        queue.append(Waiting(release: release, due: lastDue))
        if case .bytes(let bytes) = release { queuedBytes += bytes.readableBytes }
    }
}
