import Journal
import NIOCore
import RESP
import RedisClient
import Traffic
import VoiceEvents

/// Writes one region's events into its Redis with plain `XADD`, on schedule, and learns what became of each.
///
/// It lives on one event loop. Answers are not waited for, up to `window` of them. Without a connection calls stand still;
/// a server that is slow to answer makes the schedule late, and what is late is produced late.
final class VoiceWriter {
    /// Unanswered events at most.
    private static let window = 4096
    /// As long as nothing shorter than this divides events, they are written together.
    private static let turn = TimeAmount.milliseconds(1)
    /// How long an event that was refused waits.
    private static let retryDelay = TimeAmount.milliseconds(200)

    /// The journal of a tenant.
    struct Journal: Sendable {
        let index: Int
        let key: String
    }

    private struct Item {
        let journal: Journal
        let identity: EventIdentity
        let digest: UInt64
        /// Key, ID and fields, as `XADD` takes them.
        let words: BulkStrings
    }

    struct Counts: Sendable {
        var acknowledged = 0
        /// No answer came: there or not.
        var unanswered = 0
        /// Refusals; such an event is written again.
        var refusals = 0
        /// The last refusal.
        var refusal: String?
    }

    private let eventLoop: any EventLoop
    private var traffic: TrafficGenerator
    private var schedule: OpenLoopSchedule
    /// When the schedule of this stretch began, and what was produced of it.
    private var began = NIODeadline.now()
    private var beganAt: Int64 = 0
    private var producedCount = 0
    private let journals: [Int64: Journal]
    /// Told of every acknowledgement: place of the journal, ID, when it was sent.
    private let acknowledged: (Int, EntryID, NIODeadline) -> Void

    private var connection: RedisConnection?
    private var lost: EventLoopPromise<Void>?
    private var inFlight = 0
    /// Refused, to be written again, by rising sequence number; and when.
    private var refused: [Item] = []
    private var retryTime = NIODeadline.uptimeNanoseconds(0)
    private var isTurnScheduled = false
    private var isEnding = false
    private var isOver = false
    private let ended: EventLoopPromise<Void>
    private var fates: [LedgerFile.Fate] = []
    private(set) var counts = Counts()

    init(
        _ traffic: TrafficGenerator, rate: Int, journals: [Int64: Journal], eventLoop: any EventLoop,
        acknowledged: @escaping (Int, EntryID, NIODeadline) -> Void
    ) {
        self.traffic = traffic
        schedule = OpenLoopSchedule(rate: rate)
        self.journals = journals
        self.eventLoop = eventLoop
        self.acknowledged = acknowledged
        ended = eventLoop.makePromise(of: Void.self)
    }

    /// Succeeds when the last call has ended and every event has an answer, or `giveUp` was called.
    var end: EventLoopFuture<Void> { ended.futureResult }

    /// From now on events are written on this connection. The result succeeds when it is lost.
    func connected(_ connection: RedisConnection, now unixMicroseconds: Int64) -> EventLoopFuture<Void> {
        let lost = eventLoop.makePromise(of: Void.self)
        self.connection = connection
        self.lost = lost
        begin(now: unixMicroseconds)
        connection.closeFuture.assumeIsolated().whenComplete { _ in
            self.connection = nil
            lost.succeed()
        }
        turn()
        return lost.futureResult
    }

    /// No new calls; those in progress are ended four times as fast.
    func endCalls(now unixMicroseconds: Int64) {
        guard !isEnding else { return }
        isEnding = true
        traffic.endCalls()
        schedule = OpenLoopSchedule(rate: schedule.rate * 4)
        begin(now: unixMicroseconds)
        turn()
    }

    /// Produces nothing more. What was refused and not written again counts as unanswered.
    func giveUp() {
        for item in refused { unanswered(item) }
        refused = []
        isOver = true
        ended.succeed()
    }

    /// What became of events since it was asked last.
    func takeFates() -> [LedgerFile.Fate] {
        defer { fates.removeAll(keepingCapacity: true) }
        return fates
    }

    // MARK: Production

    private func begin(now unixMicroseconds: Int64) {
        began = .now()
        beganAt = unixMicroseconds
        producedCount = 0
    }

    private func turn() {
        guard let connection, connection.isOpen, !isOver else { return }
        let now = NIODeadline.now()
        var (isExhausted, isRetrying) = (false, !refused.isEmpty)
        if isRetrying, now >= retryTime {
            let items = refused
            refused = []
            isRetrying = false
            for item in items { send(item, on: connection, now) }
        }
        let elapsed = Duration(now - began)
        let dueCount = isRetrying ? producedCount : schedule.dueCount(after: elapsed)
        while producedCount < dueCount, inFlight < Self.window {
            let due = schedule.due(producedCount)
            producedCount += 1
            guard let produced = traffic.next(at: beganAt + due.microseconds) else {
                isExhausted = isEnding
                break
            }
            if let item = item(produced) { send(item, on: connection, now) }
        }
        if isExhausted, refused.isEmpty, inFlight == 0 {
            isOver = true
            return ended.succeed()
        }
        scheduleTurn(at: isRetrying ? retryTime : began + TimeAmount(schedule.due(producedCount)), now)
    }

    private func scheduleTurn(at time: NIODeadline, _ now: NIODeadline) {
        guard !isTurnScheduled else { return }
        isTurnScheduled = true
        eventLoop.assumeIsolated().scheduleTask(deadline: max(time, now + Self.turn)) {
            self.isTurnScheduled = false
            self.turn()
        }
    }

    private func item(_ produced: TrafficGenerator.Produced) -> Item? {
        guard let journal = journals[produced.tenant], let identity = EventIdentity(produced.event) else { return nil }
        let event = produced.event
        let (name, key, data) = (event.name.text, event.key, event.encodedData())
        var words = BulkStrings(capacity: data.count + 160)
        words.append(journal.key)
        words.append("*" as StaticString)
        words.append("event" as StaticString)
        words.append(name)
        words.append("key" as StaticString)
        words.append(key)
        words.append("data" as StaticString)
        words.append(data)
        let digest = PayloadDigest.voice(event: name.utf8Span.span, key: key.utf8Span.span, data: data.span)
        return Item(journal: journal, identity: identity, digest: digest, words: words)
    }

    // MARK: Answers

    private func send(_ item: Item, on connection: RedisConnection, _ now: NIODeadline) {
        inFlight += 1
        connection.send(RedisCommand(["XADD"], item.words)).assumeIsolated().whenComplete { result in
            self.inFlight -= 1
            self.answered(item, result, sentAt: now)
        }
    }

    private func answered(_ item: Item, _ result: Result<RedisReply, any Error>, sentAt time: NIODeadline) {
        switch result {
        case .success(let reply):
            guard let bytes = reply.bytes, let entry = EntryID(ascii: bytes.readableBytesView) else {
                return unanswered(item)
            }
            counts.acknowledged += 1
            fates.append(
                LedgerFile.Fate(
                    identity: item.identity, journal: item.journal.key, entry: entry, digest: item.digest))
            acknowledged(item.journal.index, entry, time)
        case .failure(let error):
            guard case .server = error as? RedisError, !isOver else { return unanswered(item) }
            counts.refusals += 1
            counts.refusal = "\(error)"
            let place = refused.firstIndex { $0.identity > item.identity } ?? refused.endIndex
            refused.insert(item, at: place)
            retryTime = .now() + Self.retryDelay
        }
        if isEnding { turn() }
    }

    private func unanswered(_ item: Item) {
        counts.unanswered += 1
        fates.append(
            LedgerFile.Fate(identity: item.identity, journal: item.journal.key, entry: nil, digest: item.digest))
    }
}

extension Duration {
    /// Whole µs, rounded down.
    var microseconds: Int64 { components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000 }
}
