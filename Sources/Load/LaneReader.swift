internal import NIOCore
internal import NIOPosix
internal import RESP
internal import RedisClient

/// Reads the copies of some streams with one blocking XREAD after the other. Lives on one event loop.
final class LaneReader {
    private let connection: RedisConnection
    private let streams: [String]
    private var cursors: [String: String] = [:]
    private let blockTime = Duration.seconds(1)
    private let arrived: ([Int64], Int64) -> Void
    private let failed: (any Error) -> Void

    /// `arrived` gets when the entries of a read were sent, and when they were received.
    init(
        connection: RedisConnection, streams: [String], arrived: @escaping ([Int64], Int64) -> Void,
        failed: @escaping (any Error) -> Void
    ) {
        self.connection = connection
        self.streams = streams
        self.arrived = arrived
        self.failed = failed
    }

    /// Finds where the streams end and begins to wait for more; on the event loop. Succeeds when it reads.
    func begin() -> EventLoopFuture<Void> {
        let ends = streams.map { stream in
            let reply: EventLoopFuture<RedisReply> = connection.send(
                RedisCommand("XREVRANGE", stream, "+", "-", "COUNT", "1"))
            return reply.map { (stream, $0[0]?[0]?.string ?? "0-0") }
        }
        return EventLoopFuture.whenAllSucceed(ends, on: connection.eventLoop).assumeIsolated().map { ends in
            for (stream, end) in ends { self.cursors[stream] = end }
            self.read()
        }.nonisolated()
    }

    private func read() {
        let command = RedisCommand(
            words: ["XREAD", "COUNT", "1000", "BLOCK", "1000", "STREAMS"] + streams
                + streams.map { cursors[$0] ?? "0-0" },
            runs: []
        ).blocking(for: blockTime)
        let reply: EventLoopFuture<RedisReply> = connection.send(command)
        reply.assumeIsolated().whenComplete { result in
            let now = monotonicNanoseconds
            switch result {
            case .success(let reply):
                guard self.accept(reply, at: now) else { return self.failed(LoadFailure.foreignEntry) }
                self.read()
            case .failure(let error): self.failed(error)
            }
        }
    }

    private func accept(_ reply: RedisReply, at now: Int64) -> Bool {
        for stream in reply.elements {
            guard let key = stream[0]?.string, let list = stream[1], let times = LoadEntry.sentTimes(in: list),
                let last = list[list.count - 1]?[0]?.string
            else { return false }
            cursors[key] = last
            arrived(times, now)
        }
        return true
    }
}
