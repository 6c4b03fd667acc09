internal import ArgumentParser
internal import NIOCore
internal import NIOPosix
internal import RedisClient

/// `regionsync-load fan-out`: one stream, many readers that wait for it.
struct FanOutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fan-out",
        abstract: "Writes to one stream and measures how much, and how soon, many blocked readers get of it.",
        discussion: """
            Each reader is a connection with one blocking XREAD after the other. Without --rate entries are written as \
            fast as the readers take them: deliveries a second is what counts. With --rate it is the delay, from the \
            moment the XADD is sent to the moment a reader has the entry, on one clock in one process. Every reader must \
            have received every entry in the end. The line "ready" is printed when all read.
            """)

    @Option(help: "The server to write to, HOST:PORT.")
    var write: Server

    @Option(help: "The stream's key there.")
    var key: String

    @Option(help: "The server to read from, HOST:PORT.")
    var read: Server

    @Option(help: "What the stream is called there.")
    var stream: String

    @Option(help: "How many readers.")
    var clients = 200

    @Option(help: "Events a second; without it, as fast as the readers take them.")
    var rate: Int?

    @Option(help: "Seconds to measure.")
    var seconds = 10

    @Option(help: "Seconds of the same before that, not measured.")
    var warmUp = 2

    private struct Result: Encodable {
        let deliveriesPerSecond: Double
        let delay: Delays.Summary
        let lateP99Ms: Double?
    }

    func validate() throws {
        guard clients > 0, seconds > 0, warmUp >= 0, rate ?? 1 > 0 else {
            throw ValidationError("numbers must be above 0")
        }
    }

    func run() async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        var readers: [RedisConnection] = []
        for _ in 0..<clients { readers.append(try await read.connect(on: eventLoop, name: "read")) }
        let writer = try await write.connect(on: eventLoop, name: "write")
        let pace = rate.map { FanOutWriter.Pace.steady($0) } ?? .readers
        let fanOut = try await eventLoop.submit { [readers, stream, key] in
            NIOLoopBound(
                FanOut(
                    readers: readers, stream: stream, writer: writer, key: key, pace: pace, eventLoop: eventLoop),
                eventLoop: eventLoop)
        }.get()
        try await eventLoop.flatSubmit { fanOut.value.begin() }.get()
        say("ready")
        try await Task.sleep(for: .seconds(warmUp))
        try await eventLoop.submit { fanOut.value.measure() }.get()
        try await Task.sleep(for: .seconds(seconds))
        let measured = try await eventLoop.submit { try fanOut.value.end() }.get()
        try await waitForAll(fanOut, on: eventLoop, within: .seconds(30))
        try report(
            Result(
                deliveriesPerSecond: Double(measured.deliveries) / measured.seconds, delay: measured.delays.summary,
                lateP99Ms: measured.lateness.milliseconds(at: 0.99)))
    }

    /// Waits until every reader has every entry.
    private func waitForAll(
        _ fanOut: NIOLoopBound<FanOut>, on eventLoop: any EventLoop, within time: Duration
    ) async throws {
        let deadline = ContinuousClock.now + time
        while true {
            let (sent, received) = try await eventLoop.submit { try fanOut.value.progress() }.get()
            if received == sent { return }
            guard received < sent, ContinuousClock.now < deadline else {
                throw LoadFailure.missing(sent: sent, received: received)
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
