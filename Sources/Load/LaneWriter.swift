internal import NIOCore
internal import NIOPosix
internal import RESP
internal import RedisClient
internal import Traffic

/// Writes to all lanes in turn at a steady rate, whatever is answered and when. Lives on one event loop.
final class LaneWriter {
    private let lanes: [(connection: RedisConnection, streams: [String])]
    private let schedule: OpenLoopSchedule
    private let total: Int
    private let eventLoop: any EventLoop
    private let finished: EventLoopPromise<Written>
    private var start = NIODeadline.now()
    private var sent = 0
    private var answered = 0
    private var lateness = Delays()

    /// What was written and how late against the schedule.
    struct Written: Sendable {
        let count: Int
        let lateness: Delays
    }

    init(
        lanes: [(connection: RedisConnection, streams: [String])], rate: Int, total: Int, eventLoop: any EventLoop,
        finished: EventLoopPromise<Written>
    ) {
        self.lanes = lanes
        schedule = OpenLoopSchedule(rate: rate)
        self.total = total
        self.eventLoop = eventLoop
        self.finished = finished
    }

    /// Begins; on the event loop.
    func begin() {
        start = .now()
        sendDue()
    }

    private func sendDue() {
        while sent < total {
            let due = start + TimeAmount(schedule.due(sent))
            let now = NIODeadline.now()
            guard due <= now else {
                eventLoop.assumeIsolated().scheduleTask(deadline: due) { self.sendDue() }
                return
            }
            lateness.add((now - due).nanoseconds)
            send(at: Int64(now.uptimeNanoseconds))
        }
    }

    private func send(at now: Int64) {
        let lane = lanes[sent % lanes.count]
        let stream = lane.streams[sent / lanes.count % lane.streams.count]
        sent += 1
        let reply: EventLoopFuture<RedisReply> = lane.connection.send(LoadEntry.append(to: stream, sentAt: now))
        reply.assumeIsolated().whenComplete { result in
            if case .failure(let error) = result { return self.finished.fail(error) }
            self.answered += 1
            if self.answered == self.total {
                self.finished.succeed(Written(count: self.total, lateness: self.lateness))
            }
        }
    }
}
