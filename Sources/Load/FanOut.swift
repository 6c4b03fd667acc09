internal import NIOCore
internal import NIOPosix
internal import RedisClient

/// Many readers that wait for the same stream, and who writes to it. Lives on one event loop.
final class FanOut {
    private let readers: [RedisConnection]
    private let stream: String
    private let eventLoop: any EventLoop
    private let writer: FanOutWriter
    private let failure: Failure
    private var measuredFrom: Int64?
    private var received = 0
    private var deliveries = 0
    private var delays = Delays()

    /// The first error of anybody.
    private final class Failure {
        private(set) var error: (any Error)?

        func note(_ error: any Error) {
            if self.error == nil { self.error = error }
        }
    }

    /// What was received since `measure`.
    struct Measured: Sendable {
        /// Entries, each counted once a reader.
        let deliveries: Int
        let seconds: Double
        /// From the moment an entry was sent to the moment a reader had it.
        let delays: Delays
        let lateness: Delays
    }

    /// Connections are on `eventLoop`; `stream` is what readers call the stream that the writer calls `key`.
    init(
        readers: [RedisConnection], stream: String, writer: RedisConnection, key: String, pace: FanOutWriter.Pace,
        eventLoop: any EventLoop
    ) {
        self.readers = readers
        self.stream = stream
        self.eventLoop = eventLoop
        let failure = Failure()
        self.failure = failure
        self.writer = FanOutWriter(
            connection: writer, key: key, readers: readers.count, pace: pace,
            failed: { failure.note($0) })
    }

    /// Begins to read, then to write; on the event loop. Succeeds when all read.
    func begin() -> EventLoopFuture<Void> {
        let begun = readers.map { connection in
            LaneReader(
                connection: connection, streams: [stream],
                arrived: { times, now in self.arrived(times, at: now) },
                failed: { self.failure.note($0) }
            ).begin()
        }
        return EventLoopFuture.andAllSucceed(begun, on: eventLoop).assumeIsolated().map { _ in
            self.writer.begin()
        }.nonisolated()
    }

    /// What arrives from now on counts.
    func measure() { measuredFrom = monotonicNanoseconds }

    /// Writes no more; what was measured until now.
    func end() throws -> Measured {
        writer.end()
        let now = monotonicNanoseconds
        if let error = failure.error { throw error }
        return Measured(
            deliveries: deliveries, seconds: Double(now - (measuredFrom ?? now)) / 1e9, delays: delays,
            lateness: writer.lateness)
    }

    /// Entries that the readers, all together, should have by now, and those that they have.
    func progress() throws -> (sent: Int, received: Int) {
        if let error = failure.error { throw error }
        return (writer.sent * readers.count, received)
    }

    private func arrived(_ sentAt: [Int64], at now: Int64) {
        received += sentAt.count
        writer.delivered(sentAt.count)
        guard let measuredFrom else { return }
        deliveries += sentAt.count
        for time in sentAt where time >= measuredFrom { delays.add(now - time) }
    }
}
