internal import NIOCore
internal import NIOPosix
internal import RESP
internal import RedisClient

/// When each of a number of commits was first seen somewhere. Lives on one event loop.
final class Sightings {
    private(set) var times: [Int64?]
    private let whole: EventLoopPromise<[Int64]>
    private var missing: Int

    init(total: Int, whole: EventLoopPromise<[Int64]>) {
        times = Array(repeating: nil, count: total)
        missing = total
        self.whole = whole
    }

    func saw(_ number: Int, at time: Int64) {
        guard times.indices.contains(number), times[number] == nil else { return }
        times[number] = time
        missing -= 1
        if missing == 0 { whole.succeed(times.compactMap(\.self)) }
    }
}

/// Fails a promise that is not kept in time, saying what is missing.
private func keep(_ whole: EventLoopPromise<[Int64]>, orFail what: String) -> EventLoopFuture<[Int64]> {
    let timeout = whole.futureResult.eventLoop.scheduleTask(in: .seconds(20)) {
        whole.fail(LoadFailure.unseen(what))
    }
    whole.futureResult.whenComplete { _ in timeout.cancel() }
    return whole.futureResult
}

/// The floor client's output, read from standard input.
struct FloorReceiver {
    private let whole: EventLoopPromise<[Int64]>

    static func open(total: Int, on eventLoop: any EventLoop) async throws -> FloorReceiver {
        let whole = eventLoop.makePromise(of: [Int64].self)
        _ = try await NIOPipeBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Handler(sightings: Sightings(total: total, whole: whole)))
                }
            }
            .takingOwnershipOfDescriptor(input: 0)
            .get()
        return FloorReceiver(whole: whole)
    }

    /// When each commit was received; waits for the last.
    func complete() async throws -> [Int64] { try await keep(whole, orFail: "by the floor client").get() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let sightings: Sightings
        private var scanner = Marker.Scanner()

        init(sightings: Sightings) { self.sightings = sightings }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let now = monotonicNanoseconds
            for number in scanner.numbers(in: unwrapInboundIn(data).readableBytesView) {
                if number == 0 { say("ready") }
                sightings.saw(number, at: now)
            }
        }
    }
}

/// Asks a cache for one field again and again while a commit is awaited there.
struct CachePoller {
    private let whole: EventLoopPromise<[Int64]>
    private let place: String
    private let asking: NIOLoopBound<Asking>

    static func open(
        _ server: Server, key: String, field: String, total: Int, on eventLoop: any EventLoop
    ) async throws -> CachePoller {
        let connection = try await server.connect(on: eventLoop, name: "poll")
        let whole = eventLoop.makePromise(of: [Int64].self)
        let asking = try await eventLoop.submit {
            NIOLoopBound(
                Asking(
                    connection: connection, command: RedisCommand("HGET", key, field), total: total,
                    sightings: Sightings(total: total, whole: whole), failed: { whole.fail($0) }),
                eventLoop: eventLoop)
        }.get()
        return CachePoller(whole: whole, place: "in \(server.host):\(server.port)", asking: asking)
    }

    /// Begins to wait for a commit; those before it count as seen with it.
    func want(_ number: Int) {
        whole.futureResult.eventLoop.execute { [asking] in asking.value.want(number) }
    }

    /// When each commit was visible; waits for the last.
    func complete() async throws -> [Int64] { try await keep(whole, orFail: place).get() }

    private final class Asking {
        private let connection: RedisConnection
        private let command: RedisCommand
        private let sightings: Sightings
        private let failed: (any Error) -> Void
        private var wanted = -1
        private var seen = -1
        private var isAsking = false

        init(
            connection: RedisConnection, command: RedisCommand, total: Int, sightings: Sightings,
            failed: @escaping (any Error) -> Void
        ) {
            self.connection = connection
            self.command = command
            self.sightings = sightings
            self.failed = failed
        }

        func want(_ number: Int) {
            wanted = number
            if !isAsking { ask() }
        }

        private func ask() {
            isAsking = true
            let reply: EventLoopFuture<RedisReply> = connection.send(command)
            reply.assumeIsolated().whenComplete { result in
                switch result {
                case .success(let reply): self.answered(reply.bytes, at: monotonicNanoseconds)
                case .failure(let error): self.failed(error)
                }
            }
        }

        private func answered(_ value: ByteBuffer?, at now: Int64) {
            var scanner = Marker.Scanner()
            if let value, let number = scanner.numbers(in: value.readableBytesView).last, number > seen,
                number <= wanted
            {
                for each in (seen + 1)...number { sightings.saw(each, at: now) }
                seen = number
            }
            guard seen < wanted else { return isAsking = false }
            connection.eventLoop.assumeIsolated().scheduleTask(in: .microseconds(100)) { self.ask() }
        }
    }
}
