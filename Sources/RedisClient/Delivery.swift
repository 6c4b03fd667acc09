internal import NIOCore

/// Tells a slow link from a dead one while an answer is awaited: a large command may be on its way for longer than a link may
/// be silent, but then the other side's kernel acknowledges ever more of it.
///
/// What counts is only what had been written when the oldest unanswered command was first looked at: a peer that takes
/// everything and never answers is found out.
struct Delivery {
    private var mark: UInt64?
    private var acknowledged: UInt64 = 0
    /// When more was acknowledged, of what an answer depends on.
    private(set) var lastProgress = NIODeadline.uptimeNanoseconds(0)

    /// Something was answered: the next command in line is another one.
    mutating func answered() { mark = nil }

    /// An answer is awaited; `written` bytes were written so far, of which some were acknowledged, the last at `time`.
    mutating func looked(written: UInt64, acknowledged: UInt64, at time: NIODeadline) {
        if let mark, acknowledged > self.acknowledged, acknowledged < mark { lastProgress = time }
        if mark == nil { mark = written }
        self.acknowledged = acknowledged
    }
}
