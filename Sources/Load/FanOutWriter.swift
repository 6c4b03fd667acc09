internal import NIOCore
internal import NIOPosix
internal import RESP
internal import RedisClient
internal import Traffic

/// Writes to one stream that others read: at a steady rate, whatever is read and when, or just ahead of its readers. Lives
/// on one event loop.
final class FanOutWriter {
    enum Pace: Hashable, Sendable {
        /// Events a second.
        case steady(Int)
        /// As fast as the readers take them.
        case readers
    }

    /// Entries that the readers may lack, on an average, before no more are written; and how many are written at once.
    private static let window = 64
    private static let batch = 16

    private let connection: RedisConnection
    private let key: String
    private let readers: Int
    private let pace: Pace
    private let failed: (any Error) -> Void
    private var start = NIODeadline.now()
    private var isOver = false
    private var delivered = 0

    /// Entries written so far.
    private(set) var sent = 0
    /// How late each was against the schedule of a steady pace.
    private(set) var lateness = Delays()

    init(
        connection: RedisConnection, key: String, readers: Int, pace: Pace, failed: @escaping (any Error) -> Void
    ) {
        self.connection = connection
        self.key = key
        self.readers = readers
        self.pace = pace
        self.failed = failed
    }

    /// Begins; on the event loop.
    func begin() {
        start = .now()
        switch pace {
        case .steady(let rate): sendDue(OpenLoopSchedule(rate: rate))
        case .readers: sendAhead()
        }
    }

    /// Readers, all together, have received so many entries more.
    func delivered(_ count: Int) {
        delivered += count
        if pace == .readers { sendAhead() }
    }

    /// Writes no more.
    func end() { isOver = true }

    private func sendDue(_ schedule: OpenLoopSchedule) {
        while !isOver {
            let due = start + TimeAmount(schedule.due(sent))
            let now = NIODeadline.now()
            guard due <= now else {
                connection.eventLoop.assumeIsolated().scheduleTask(deadline: due) { self.sendDue(schedule) }
                return
            }
            lateness.add((now - due).nanoseconds)
            send(at: Int64(now.uptimeNanoseconds))
        }
    }

    private func sendAhead() {
        while !isOver, sent * readers - delivered <= (Self.window - Self.batch) * readers {
            let now = monotonicNanoseconds
            for _ in 0..<Self.batch { send(at: now) }
        }
    }

    private func send(at now: Int64) {
        sent += 1
        let reply: EventLoopFuture<RedisReply> = connection.send(LoadEntry.append(to: key, sentAt: now))
        reply.assumeIsolated().whenComplete { result in
            if case .failure(let error) = result { self.failed(error) }
        }
    }
}
