import Lease
import Logging
import NIOPosix
import Observability
import RESP
import RedisClient
import ServerFixtures
import Synchronization
import Testing
import Worker

/// What the workers of a region do, by name.
private final class Activity: Sendable {
    private let record = Mutex((turns: [String](), now: Set<String>(), begun: [String](), wasShared: false))

    var turns: [String] { record.withLock { $0.turns } }

    var now: Set<String> { record.withLock { $0.now } }
    var begun: [String] { record.withLock { $0.begun } }
    var wasShared: Bool { record.withLock { $0.wasShared } }

    /// A turn begins.
    func turned(_ name: String) { record.withLock { $0.turns.append(name) } }

    /// A region's work: until cancelled.
    func work(_ name: String) async {
        record.withLock {
            $0.now.insert(name)
            $0.begun.append(name)
            if $0.now.count > 1 { $0.wasShared = true }
        }
        try? await Task.sleep(for: .seconds(3600))
        record.withLock { _ = $0.now.remove(name) }
    }
}

/// A Redis and workers that want its lease.
private struct Leased {
    let server: RedisServer
    let plain: RedisConnection
    let activity = Activity()

    static func with(_ body: (Leased) async throws -> Void) async throws {
        try await RedisServer.with { server in
            let plain = try await RedisConnection.connect(
                to: server.patientEndpoint, name: "plain", on: MultiThreadedEventLoopGroup.singleton.any())
            try await body(Leased(server: server, plain: plain))
            await plain.close()
        }
    }

    /// A worker that runs until the task is cancelled.
    func start(
        _ name: String, term: Duration = WorkerLease.Settings().term, user: String? = nil,
        states: ComponentStates = ComponentStates()
    ) -> Task<Void, Never> {
        var settings = WorkerLease.Settings()
        settings.term = term
        var endpoint = server.patientEndpoint
        endpoint.username = user
        endpoint.password = user.map { _ in "secret" }
        let keeper = LeaseKeeper(
            endpoint: endpoint, eventLoop: MultiThreadedEventLoopGroup.singleton.next(), settings: settings,
            states: states, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        return Task {
            await keeper.run {
                activity.turned(name)
                await keeper.work { await activity.work(name) }
            }
        }
    }

    @discardableResult
    func run(_ words: String...) async throws -> RedisReply {
        try await plain.send(RedisCommand(words: words, runs: []))
    }

    func value() async throws -> LeaseValue { LeaseValue(text: try await run("GET", LeaseCommands.key).string ?? "") }

    /// Waits until `condition` holds, at most about a minute.
    func until(_ condition: () async throws -> Bool) async throws {
        for _ in 0..<6000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("in vain; at work: \(activity.now), so far: \(activity.begun)")
    }
}

/// Longer than any test: what happens does not happen because time has passed.
private let never = Duration.seconds(36_000)

@Suite("Lease keepers on a real Redis", .serialized)
struct LeaseKeeperTests {
    @Test(
        "one works, the other stands by and names it; an orderly stop hands over at once, the last gives the lease back"
    )
    func handsOver() async throws {
        try await Leased.with { region in
            let (first, second) = (ComponentStates(), ComponentStates())
            let one = region.start("one", term: never, states: first)
            try await region.until { first.state(of: "lease")?.name == "holding" }
            let other = region.start("other", term: never, states: second)
            try await region.until { second.state(of: "lease")?.name == "standby" }
            let holder = try #require(try await region.value().holder)
            #expect(second.state(of: "lease")?.reason?.contains(holder) == true)
            one.cancel()
            try await region.until { region.activity.now == ["other"] }
            other.cancel()
            await other.value
            #expect(try await region.value() == .released)
            #expect(region.activity.begun == ["one", "other"])
            #expect(!region.activity.wasShared)
        }
    }

    @Test("a holder whose connection is closed is not waited for; neither is one that died before")
    func provesDeath() async throws {
        try await Leased.with { region in
            try await region.run("SET", LeaseCommands.key, "dead:1:a 999999 5")
            let one = region.start("one", term: never)
            try await region.until { region.activity.now == ["one"] }
            one.cancel()
            await one.value

            let holder = try await RedisConnection.connect(
                to: region.plain.endpoint, name: "holder", on: region.plain.eventLoop)
            try await region.run("SET", LeaseCommands.key, "alive:1:a \(holder.clientID) 5")
            let states = ComponentStates()
            let other = region.start("other", term: never, states: states)
            try await region.until { states.state(of: "lease")?.name == "standby" }
            #expect(region.activity.now.isEmpty)
            await holder.close()
            try await region.until { region.activity.now == ["other"] }
            other.cancel()
            await other.value
        }
    }

    @Test("a holder whose connection the server closes ends its work, and begins it again with the lease")
    func loses() async throws {
        try await Leased.with { region in
            let one = region.start("one", term: never)
            try await region.until { region.activity.now == ["one"] }
            let connection = try #require(try await region.value().connection)
            try await region.run("CLIENT", "KILL", "ID", "\(connection)")
            try await region.until { region.activity.begun == ["one", "one"] && region.activity.now == ["one"] }
            #expect(try await region.value().connection != connection)
            #expect(region.activity.turns == ["one"])
            one.cancel()
            await one.value
        }
    }

    @Test("a turn outlasts a restart of the server; it is over when another worker has had the lease, however briefly")
    func turns() async throws {
        try await Leased.with { region in
            let states = ComponentStates()
            let one = region.start("one", term: never, states: states)
            try await region.until { region.activity.now == ["one"] }
            try await region.server.restart()
            try await region.until { region.activity.begun.count == 2 && region.activity.now == ["one"] }
            #expect(region.activity.turns == ["one"])

            let holder = try await RedisConnection.connect(
                to: region.plain.endpoint, name: "holder", on: region.plain.eventLoop)
            _ = try await holder.send(RedisCommand("SET", LeaseCommands.key, "other:1:a \(holder.clientID) 5"))
            try await region.until { states.state(of: "lease")?.name == "standby" && region.activity.now.isEmpty }
            #expect(region.activity.turns == ["one"])
            let plain = try await RedisConnection.connect(
                to: region.plain.endpoint, name: "plain", on: region.plain.eventLoop)
            await holder.close()
            try await region.until { region.activity.turns == ["one", "one"] && region.activity.now == ["one"] }

            _ = try await plain.send(RedisCommand("SET", LeaseCommands.key, LeaseValue.released.text))
            try await region.until { region.activity.turns.count == 3 && region.activity.now == ["one"] }
            #expect(region.activity.begun.count == 4)
            await plain.close()
            one.cancel()
            await one.value
        }
    }

    @Test("a worker that may not look at connections waits until the value has stood for a term")
    func outlasts() async throws {
        try await Leased.with { region in
            try await region.run("ACL", "SETUSER", "worker", "on", ">secret", "~*", "+@all", "-client|list")
            try await region.run("SET", LeaseCommands.key, "ghost:1:a 999999 5")
            let impatient = region.start("impatient", user: "worker")
            try await region.until { region.activity.now == ["impatient"] }
            impatient.cancel()
            await impatient.value
        }
    }

    @Test("a flushed server gets the lease again from its holder; a full one takes renewals")
    func keeps() async throws {
        try await Leased.with { region in
            let one = region.start("one", term: never)
            try await region.until { region.activity.now == ["one"] }
            let states = ComponentStates()
            let other = region.start("other", term: never, states: states)
            try await region.until { states.state(of: "lease")?.name == "standby" }
            let holder = try await region.value().holder
            try await region.run("FLUSHALL")
            try await region.until { try await region.value().holder == holder }
            try await region.run("CONFIG", "SET", "maxmemory", "1")
            for _ in 0..<4 {
                let before = try await region.value()
                try await region.until { try await region.value() != before }
            }
            #expect(try await region.value().holder == holder)
            #expect(region.activity.begun == ["one"])
            for task in [one, other] {
                task.cancel()
                await task.value
            }
        }
    }

    @Test("while nothing answers nobody works; then one of both does")
    func silentServer() async throws {
        try await Leased.with { region in
            let states = ComponentStates()
            let tasks = [region.start("one", states: states), region.start("other")]
            try await region.until { region.activity.now.count == 1 }
            await region.server.pause()
            try await region.until { region.activity.now.isEmpty }
            await region.server.resume()
            try await region.until { region.activity.now.count == 1 }
            for task in tasks {
                task.cancel()
                await task.value
            }
            #expect(!region.activity.wasShared)
        }
    }

    @Test("restarted without its data, the server gives the lease to one of both again")
    func restarted() async throws {
        try await Leased.with { region in
            let tasks = [region.start("one"), region.start("other")]
            try await region.until { region.activity.now.count == 1 }
            try await region.server.restart()
            try await region.until { region.activity.begun.count >= 2 && region.activity.now.count == 1 }
            for task in tasks {
                task.cancel()
                await task.value
            }
            #expect(!region.activity.wasShared)
        }
    }
}
