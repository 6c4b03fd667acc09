import Logging
import Observability
import PortFixtures
import RESP
import RedisClient
import Synchronization
import Testing

@testable import RESPServer

/// A server on a free port of loopback.
struct TestServer: Sendable {
    private let served: ServedPort

    /// Runs a server for the length of `body`, then shuts it down gracefully.
    static func with(
        table: CommandTable = .test, accounts: AccountStore = AccountStore(.open), tls: ServerTLS? = nil,
        logger: Logger = .silent, _ change: (inout ListenerLimits) -> Void = { _ in },
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        try await ServedPort.with(table, accounts: accounts, tls: tls, logger: logger, change) { served in
            try await body(TestServer(served: served))
        }
    }

    /// Begins to shut the server down.
    func shutDown() async { await served.shutDown() }

    var port: Int { served.port }

    /// For our own client, which gives nobody up because the machine is busy.
    var endpoint: RedisEndpoint {
        RedisEndpoint(
            host: "127.0.0.1", port: port, connectTimeout: .seconds(60), responseTimeout: .seconds(60),
            linkTimeout: .seconds(60))
    }

    var registry: MetricsRegistry { served.registry }

    func client(receiveBytes: Int32? = nil) throws -> RawClient {
        try RawClient(port: port, receiveBytes: receiveBytes)
    }

    /// A client that was answered `answer` to what it said. For servers that do not wait long: a client that is late, on a
    /// busy machine, is cut off, and another one tries.
    func client(saying text: String, answered answer: String) async throws -> RawClient {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let client = try client()
            client.send(text)
            let heard = await client.read(answer.utf8.count)
            if heard == answer { return client }
            try #require(ContinuousClock.now < deadline, "heard last: \(heard ?? "nothing")")
        }
    }

    func rejected(_ reason: Rejection) -> UInt64 {
        registry.counter(.listenerRejected, [.port: ServedPort.label, .reason: reason.rawValue]).value
    }

    func answered(_ command: String, _ result: String = "ok") -> UInt64 {
        registry.counter(.listenerCommands, [.port: ServedPort.label, .command: command, .result: result]).value
    }

    var connections: Double? { registry.gauge(.listenerConnections, [.port: ServedPort.label]).value }
}

/// Waits until `condition` holds; fails the test when it never does.
func eventually(
    _ condition: @Sendable () async throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record("it never came true", sourceLocation: sourceLocation)
}

/// Waits until `count` was above zero, and stays the same for one look after another.
func untilSteady(_ count: () -> Int, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    var (last, looks) = (0, 0)
    while looks < 30 {
        let now = count()
        looks = now > 0 && now == last ? looks + 1 : 0
        last = now
        try #require(ContinuousClock.now < deadline, "it never stood still", sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// A door that commands wait at until the test opens it.
final class Gate: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: Void.self) }

    func open() { continuation.finish() }

    func wait() async { for await _ in stream {} }
}

/// What commands did, in order.
final class Diary: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func note(_ line: String) { lines.withLock { $0.append(line) } }
}

extension Command {
    /// A command of a test, which anybody may run.
    static func test(
        _ name: String, arity: Int = 1, flags: Set<Command.Flag> = [], _ handler: Command.Handler
    ) -> Command {
        Command(
            name, arity: arity, flags: flags, permission: .read,
            documentation: Command.Documentation("Tests.", group: "test"), handler: handler)
    }

    /// One that notes `began`, and answers OK once `gate` is open, null where its task was cancelled.
    static func gated(
        _ name: String = "T.GATE", arity: Int = 1, flags: Set<Command.Flag> = [], by gate: Gate,
        _ diary: Diary = Diary()
    ) -> Command {
        test(
            name, arity: arity, flags: flags,
            .asynchronous { _ in
                diary.note("began")
                await gate.wait()
                return Task.isCancelled ? .null : .ok
            })
    }
}

extension Logger {
    /// Says nothing.
    static var silent: Logger { Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }) }
}
