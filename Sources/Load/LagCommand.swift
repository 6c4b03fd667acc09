internal import ArgumentParser
internal import NIOCore
internal import NIOPosix
internal import RedisClient

/// `regionsync-load lag`: how long entries take from one server to another, at a steady rate.
struct LagCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lag",
        abstract: "Writes to streams in an open loop and measures when blocked readers get the copies.",
        discussion: """
            Lag counts from the moment the XADD is sent to the moment the blocked XREAD is answered, on one clock in one \
            process. How late the writer was against its schedule is reported beside it. The line "ready" is printed when \
            the writer begins.
            """)

    @Option(help: "SOURCE>TARGET/REGION/FIRST-LAST: servers as HOST:PORT, region of birth, tenants. Repeatable.")
    var lane: [Lane]

    @Option(help: "Events a second over all lanes and tenants.")
    var rate = 2000

    @Option(help: "Seconds to measure.")
    var seconds = 20

    @Option(help: "Seconds at the same rate before that, not measured.")
    var warmUp = 2

    @Option(help: "Streams that one reading connection waits on.")
    var streamsPerReader = 8

    @Flag(help: "Write only: no readers, no lag; to see what servers and workers cost.")
    var writeOnly = false

    private struct Result: Encodable {
        let sent: Int
        let received: Int
        let lag: Delays.Summary
        let lateP99Ms: Double?
    }

    func validate() throws {
        guard !lane.isEmpty else { throw ValidationError("name at least one --lane") }
        guard rate > 0, seconds > 0, warmUp >= 0, streamsPerReader > 0 else {
            throw ValidationError("numbers must be above 0")
        }
    }

    func run() async throws {
        let loops = MultiThreadedEventLoopGroup.singleton
        let readers = LaneReaders(eventLoop: loops.next())
        if !writeOnly {
            for lane in lane { try await readers.open(lane, streamsPerReader: streamsPerReader) }
        }
        let writingLoop = loops.next()
        var lanes: [(connection: RedisConnection, streams: [String])] = []
        for lane in lane {
            lanes.append((try await lane.source.connect(on: writingLoop, name: "write"), lane.streams))
        }
        say("ready")
        let measuredFrom = monotonicNanoseconds + Int64(warmUp) * 1_000_000_000
        let total = rate * (warmUp + seconds)
        let finished = writingLoop.makePromise(of: LaneWriter.Written.self)
        writingLoop.execute { [lanes] in
            LaneWriter(lanes: lanes, rate: rate, total: total, eventLoop: writingLoop, finished: finished).begin()
        }
        let written = try await finished.futureResult.get()
        if !writeOnly { try await readers.wait(for: total, within: .seconds(30)) }
        let received = try await readers.received()
        let lag = received.lag(from: measuredFrom)
        try report(
            Result(
                sent: written.count, received: received.count, lag: lag.summary,
                lateP99Ms: written.lateness.milliseconds(at: 0.99)))
    }
}
