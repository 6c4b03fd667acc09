internal import ArgumentParser
internal import NIOCore
internal import NIOPosix
internal import PostgresClient
internal import RedisClient
internal import Traffic

/// `regionsync-load visible`: how long commits take until caches show them.
struct VisibleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "visible",
        abstract: "Commits at a steady rate; measures when a floor client and the caches of two regions have it.",
        discussion: """
            Standard input is what the floor client receives: pg_recvlogical -f - into a pipe. The statement gets the text \
            bench-<number>. as $1. Caches are asked again and again while something is awaited, so their times are late \
            by up to one question; the added delay is theirs minus the floor client's, commit by commit. The line "ready" is \
            printed when the floor client has received the first commit.
            """)

    @Option(help: "PostgreSQL, HOST:PORT.")
    var postgres: Server

    @Option(help: "The database.")
    var database: String

    @Option(help: "Who writes; no password.")
    var user = "postgres"

    @Option(help: "The statement to commit, with $1 where the marker goes.")
    var statement: String

    @Option(help: "The cache of the capturing region, HOST:PORT.")
    var own: Server

    @Option(help: "The cache of the other region, HOST:PORT.")
    var peer: Server

    @Option(help: "The object's hash in the caches.")
    var key: String

    @Option(help: "The field in it that holds the marker.")
    var field: String

    @Option(help: "Commits a second.")
    var rate = 50

    @Option(help: "Seconds to measure.")
    var seconds = 20

    @Option(help: "Seconds at the same rate before that, not measured.")
    var warmUp = 2

    private struct Result: Encodable {
        let floor: Delays.Summary
        let own: Delays.Summary
        let peer: Delays.Summary
        let ownAdded: Delays.Summary
        let peerAdded: Delays.Summary
    }

    func validate() throws {
        guard rate > 0, seconds > 0, warmUp >= 0 else { throw ValidationError("numbers must be above 0") }
    }

    func run() async throws {
        let loops = MultiThreadedEventLoopGroup.singleton
        let total = rate * (warmUp + seconds)
        let floor = try await FloorReceiver.open(total: total, on: loops.next())
        let polling = loops.next()
        let own = try await CachePoller.open(own, key: key, field: field, total: total, on: polling)
        let peer = try await CachePoller.open(peer, key: key, field: field, total: total, on: polling)
        let connection = try await PostgresConnection.connect(
            PostgresOptions(host: postgres.host, port: postgres.port, database: database, user: user))

        let committed = try await commit(total, through: connection, awaitedBy: [own, peer])
        await connection.close()
        let times = Times(
            committed: committed, floor: try await floor.complete(), own: try await own.complete(),
            peer: try await peer.complete(), from: rate * warmUp)
        try report(
            Result(
                floor: times.delays(to: \.floor, since: \.committed).summary,
                own: times.delays(to: \.own, since: \.committed).summary,
                peer: times.delays(to: \.peer, since: \.committed).summary,
                ownAdded: times.delays(to: \.own, since: \.floor).summary,
                peerAdded: times.delays(to: \.peer, since: \.floor).summary))
    }

    /// Commits on schedule; returns when each statement was sent.
    private func commit(
        _ total: Int, through connection: PostgresConnection, awaitedBy pollers: [CachePoller]
    ) async throws -> [Int64] {
        let schedule = OpenLoopSchedule(rate: rate)
        let start = ContinuousClock.now
        var committed: [Int64] = []
        committed.reserveCapacity(total)
        for number in 0..<total {
            try await Task.sleep(until: start + schedule.due(number), tolerance: .zero, clock: .continuous)
            for poller in pollers { poller.want(number) }
            committed.append(monotonicNanoseconds)
            try await connection.query(statement, [Marker.text(number)])
        }
        return committed
    }

    /// When each commit was sent, and when it was seen where; nanoseconds.
    private struct Times {
        let committed: [Int64]
        let floor: [Int64]
        let own: [Int64]
        let peer: [Int64]
        /// The first commit that counts.
        let from: Int

        func delays(to end: KeyPath<Times, [Int64]>, since begin: KeyPath<Times, [Int64]>) -> Delays {
            var delays = Delays()
            for number in committed.indices.dropFirst(from) {
                delays.add(self[keyPath: end][number] - self[keyPath: begin][number])
            }
            return delays
        }
    }
}
