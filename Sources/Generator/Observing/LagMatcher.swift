import Journal
import NIOCore

/// Pairs the events of one journal that were acknowledged with their copies as a peer shows them, by entry ID.
///
/// Both come in rising order of ID, each in its own time: a copy may even be seen before its acknowledgement is.
struct LagMatcher {
    /// What is kept of either side while the other one is silent; the oldest are forgotten first.
    static let capacity = 200_000

    private struct Seen {
        let id: EntryID
        let time: NIODeadline
    }

    private var sent = CircularBuffer<Seen>()
    /// Copies that were seen before their acknowledgements, or that are somebody else's.
    private var early = CircularBuffer<Seen>()
    /// How many of `sent` were forgotten and not seen yet, and the last one of them.
    private var forgotten = (count: 0, last: EntryID.zero)
    /// Acknowledged, and behind in the copy although later ones are there.
    private(set) var missing = 0

    /// Acknowledged, and not seen in the copy.
    var backlog: Int { sent.count + forgotten.count }

    /// The event was acknowledged; gives its lag if the copy was there already.
    mutating func acknowledged(_ id: EntryID, sentAt time: NIODeadline) -> TimeAmount? {
        while let first = early.first, first.id <= id {
            early.removeFirst()
            if first.id == id { return first.time - time }
        }
        if sent.count == Self.capacity { forgotten = (forgotten.count + 1, sent.removeFirst().id) }
        sent.append(Seen(id: id, time: time))
        return nil
    }

    /// The copy holds this entry; gives its lag if it is known when it was sent.
    mutating func received(_ id: EntryID, at time: NIODeadline) -> TimeAmount? {
        if id <= forgotten.last {
            forgotten.count = max(0, forgotten.count - 1)
            return nil
        }
        while let first = sent.first, first.id <= id {
            sent.removeFirst()
            if first.id == id { return time - first.time }
            missing += 1
        }
        if early.count == Self.capacity { early.removeFirst() }
        early.append(Seen(id: id, time: time))
        return nil
    }
}
