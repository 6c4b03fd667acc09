internal import NIOCore
internal import RedisClient

/// All readers of a measurement, on one event loop, and what they received.
final class LaneReaders: Sendable {
    private let eventLoop: any EventLoop
    private let state: NIOLoopBoundBox<Received>

    /// What came in.
    struct Received: Sendable {
        /// When each entry was sent and how long it took, nanoseconds.
        var samples: [(sentAt: Int64, delay: Int64)] = []
        var failure: (any Error)?

        var count: Int { samples.count }

        /// The delays of what was sent since `start`.
        func lag(from start: Int64) -> Delays {
            var delays = Delays()
            for sample in samples where sample.sentAt >= start { delays.add(sample.delay) }
            return delays
        }
    }

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        state = .makeBoxSendingValue(Received(), eventLoop: eventLoop)
    }

    /// Opens the readers of a lane's copies; returns when they wait.
    func open(_ lane: Lane, streamsPerReader: Int) async throws {
        for start in stride(from: 0, to: lane.streams.count, by: streamsPerReader) {
            let streams = Array(lane.streams[start..<min(start + streamsPerReader, lane.streams.count)])
            let connection = try await lane.target.connect(on: eventLoop, name: "read")
            try await eventLoop.flatSubmit { [state] in
                LaneReader(
                    connection: connection, streams: streams,
                    arrived: { times, now in
                        for time in times { state.value.samples.append((time, now - time)) }
                    }, failed: { state.value.failure = $0 }
                ).begin()
            }.get()
        }
    }

    /// Waits until `count` entries have arrived.
    func wait(for count: Int, within time: Duration) async throws {
        let deadline = ContinuousClock.now + time
        while true {
            let received = try await received()
            if let failure = received.failure { throw failure }
            if received.count >= count { return }
            guard ContinuousClock.now < deadline else {
                throw LoadFailure.missing(sent: count, received: received.count)
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    func received() async throws -> Received {
        try await eventLoop.submit { [state] in state.value }.get()
    }
}
