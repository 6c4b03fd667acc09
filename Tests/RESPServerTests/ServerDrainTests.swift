import NIOCore
import Observability
import RESP
import Testing

@testable import RESPServer

@Suite("RESP server's end, and new accounts", .serialized, .timeLimit(.minutes(5))) struct ServerDrainTests {
    /// `T.GATE` waits for `gate`, `T.DEFER` until it is asked to end, `T.WATCH` watches.
    private static func table(_ gate: Gate, _ diary: Diary = Diary()) -> CommandTable {
        CommandTable([
            .gated(by: gate, diary),
            .test(
                "T.DEFER", flags: [.blocking],
                .deferred { _, pending in
                    diary.note("began")
                    pending.onCancel { pending.answer(.nullArray) }
                }),
            .test(
                "T.WATCH",
                .immediate { invocation in
                    invocation.client.watchBegan()
                    return .ok
                }),
        ])
    }

    @Test("What has begun is answered, then the connection ends; who does nothing is let go at once")
    func drain() async throws {
        let gate = Gate()
        let diary = Diary()
        try await TestServer.with(table: Self.table(gate, diary), { $0.drainTime = .seconds(60) }) { server in
            let idle = try server.client()
            idle.send("PING\r\n")
            await idle.expect("+PONG\r\n")
            let watching = try server.client()
            watching.send("T.WATCH\r\n")
            await watching.expect("+OK\r\n")
            let waiting = try server.client()
            waiting.send("T.DEFER\r\n")
            let working = try server.client()
            working.send("T.GATE\r\nPING\r\n*1\r\n$4\r\nPI")
            try await eventually { diary.all.count == 2 }

            await server.shutDown()
            await idle.expectEnd()
            await watching.expectEnd()
            await waiting.expectEnd("*-1\r\n")
            #expect(throws: (any Error).self) { try server.client() }
            gate.open()
            await working.expectEnd("+OK\r\n+PONG\r\n")
        }
    }

    @Test("Who reads slowly gets all that it was answered, though it says something more while the port closes")
    func unsent() async throws {
        let large = String(repeating: "x", count: 512 << 10)
        let table = CommandTable([.test("T.LARGE", .immediate { _ in .text(large) })])
        try await TestServer.with(table: table, { $0.drainTime = .seconds(60) }) { server in
            // The kernel takes the reply, and cannot send it.
            let slow = try server.client(receiveBytes: 4096)
            slow.send("T.LARGE\r\n")
            try await eventually { server.answered("t.large") == 1 }
            await server.shutDown()
            try await eventually { (try? server.client()) == nil }
            slow.send("PING\r\n")
            await slow.expectEnd("$\(large.utf8.count)\r\n\(large)\r\n")
            #expect(server.rejected(.drainTime) == 0)
        }
    }

    @Test("A command that only reads goes on while the port closes")
    func reading() async throws {
        let gate = Gate()
        let diary = Diary()
        let table = CommandTable([.gated("T.READ", flags: [.readonly], by: gate, diary)])
        try await TestServer.with(table: table, { $0.drainTime = .seconds(60) }) { server in
            let reading = try server.client()
            reading.send("T.READ\r\n")
            try await eventually { diary.all == ["began"] }
            let idle = try server.client()
            idle.send("PING\r\n")
            await idle.expect("+PONG\r\n")
            await server.shutDown()
            await idle.expectEnd()
            gate.open()
            await reading.expectEnd("+OK\r\n")
        }
    }

    @Test("A command that reads may have what it waits for cancelled when the port closes, and go on")
    func waiting() async throws {
        let gate = Gate()
        let diary = Diary()
        let table = CommandTable([
            .test(
                "T.WAIT", flags: [.readonly],
                .asynchronous { invocation in
                    let (isCancelled, isDraining) = await invocation.client.cancellingOnDrain {
                        diary.note("waits")
                        await gate.wait()
                        return Task.isCancelled
                    }
                    return .text("\(isCancelled == true) \(isDraining) \(Task.isCancelled)")
                }),
            .test(
                "T.LOOK", flags: [.readonly],
                .asynchronous { invocation in
                    let look = await invocation.client.cancellingOnDrain { 7 }
                    return .text("\(look.value ?? 0)")
                }),
        ])
        try await TestServer.with(table: table, { $0.drainTime = .seconds(60) }) { server in
            let client = try server.client()
            client.send("T.LOOK\r\nT.WAIT\r\nT.LOOK\r\n")
            await client.expect("$1\r\n7\r\n")
            try await eventually { diary.all == ["waits"] }
            await server.shutDown()
            await client.expect("$15\r\ntrue true false\r\n")
            // What was received before is answered, and waits for nothing.
            await client.expectEnd("$1\r\n7\r\n")
        }
    }

    @Test("What does not end in time is cut off")
    func drainTime() async throws {
        let gate = Gate()
        let diary = Diary()
        try await TestServer.with(table: Self.table(gate, diary), { $0.drainTime = .milliseconds(300) }) { server in
            let working = try server.client()
            working.send("T.GATE\r\n")
            try await eventually { diary.all.count == 1 }
            await server.shutDown()
            await working.expectEnd()
            #expect(server.rejected(.drainTime) == 1)
            gate.open()
        }
    }

    @Test("New accounts: who watches is cut off if its account changed, all others go on under the new one")
    func accounts() async throws {
        let accounts = AccountStore(.test)
        let diary = Diary()
        try await TestServer.with(table: Self.table(Gate(), diary), accounts: accounts) { server in
            let watching = try server.client()
            watching.send("AUTH pulse sesame\r\nT.WATCH\r\n")
            await watching.expect("+OK\r\n+OK\r\n")
            let steady = try server.client()
            steady.send("AUTH gws sesame\r\nT.WATCH\r\n")
            await steady.expect("+OK\r\n+OK\r\n")
            let idle = try server.client()
            idle.send("AUTH pulse sesame\r\n")
            await idle.expect("+OK\r\n")

            let waiting = try server.client()
            waiting.send("AUTH pulse sesame\r\nT.DEFER\r\n")
            await waiting.expect("+OK\r\n")
            try await eventually { diary.all == ["began"] }
            // What one account was granted no other one keeps, nor nobody.
            let leaving = try server.client()
            leaving.send("AUTH pulse sesame\r\nT.WATCH\r\n")
            await leaving.expect("+OK\r\n+OK\r\n")
            leaving.send("RESET\r\n")
            try await eventually { server.rejected(.account) == 1 }

            let writer = Accounts.Entry(account: .writer, secrets: [])
            accounts.replace(with: Accounts([writer]))
            await watching.expectEnd()
            await waiting.expectEnd()
            #expect(server.rejected(.account) == 3)
            idle.send("PING\r\n")
            await idle.expect("-NOAUTH Authentication required.\r\n")
            steady.send("PING\r\n")
            await steady.expect("+PONG\r\n")
        }
    }

    @Test("A secret that is changed while it is checked lets nobody in any more, and the new one does")
    func secretOfBefore() async throws {
        let diary = Diary()
        let table = CommandTable([
            .test(
                "T.NOTE",
                .immediate { _ in
                    diary.note("seen")
                    return .ok
                })
        ])
        // Of `sesame`, slow to check; of `simsim`.
        let slow = try #require(
            SecretHash(
                "SCRAM-SHA-256$50000:c2l4dGVlbiBieXRlIHNhbA==$ewuvJfBYNRMg8C1r0/cyK5kWqUP1MG0gePTC6au+fvY=:"
                    + "f+axULYoezfPBJSs4xEKkj/SdIbz122aKWk4dLaMFN8="))
        let fresh = try #require(SecretHash("#af15619a69e0dc30eb22e152c9674f8653974449103f250852bb37694f5a1b10"))
        #expect(slow.matches(Array("sesame".utf8)))
        let anonymous = Account(name: Account.defaultName, permissions: [.read], tenants: .all)
        let entries = [slow, fresh].map { Accounts.Entry(account: .writer, secrets: [$0]) }
        let accounts = AccountStore(Accounts([entries[0]], anonymous: anonymous))
        try await TestServer.with(table: table, accounts: accounts) { server in
            let client = try server.client()
            client.send("T.NOTE\r\nAUTH gws sesame\r\nAUTH gws simsim\r\n")
            try await eventually { !diary.all.isEmpty }
            accounts.replace(with: Accounts([entries[1]], anonymous: anonymous))
            await client.expect("+OK\r\n-WRONGPASS invalid username-password pair or user is disabled.\r\n+OK\r\n")
        }
    }

    @Test("A port that the kernel takes away is given up, and its clients are let go")
    func spoilt() async throws {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let server = RESPServer(
            .init(host: "127.0.0.1", port: 0, label: "test", identity: ServerIdentity(version: "1")), table: .test,
            accounts: AccountStore(.open), registry: MetricsRegistry(), logger: .silent,
            onListening: { listening.yield($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var iterator = ports.makeAsyncIterator()
                let first = await iterator.next()
                let port = try #require(first)
                let client = try RawClient(port: port)
                client.send("PING\r\n")
                await client.expect("+PONG\r\n")
                let socket = try #require(ListeningSocket(port: port))
                socket.spoil()
                await client.expectEnd()
            }
            await #expect(throws: RESPServerError.self) { try await server.run() }
            try await group.waitForAll()
        }
    }

    @Test("A port that is taken and an address of elsewhere are named")
    func cannotListen() async throws {
        try await TestServer.with { server in
            for (host, port, expected) in [
                ("127.0.0.1", server.port, RESPServerError.portTaken(host: "127.0.0.1", port: server.port)),
                ("192.0.2.1", 0, .noSuchAddress(host: "192.0.2.1", port: 0)),
            ] as [(String, Int, RESPServerError)] {
                let second = RESPServer(
                    .init(host: host, port: port, label: "test", identity: ServerIdentity(version: "1")),
                    table: .test, accounts: AccountStore(.open), registry: server.registry, logger: .silent)
                await #expect(throws: expected) { try await second.run() }
            }
        }
    }
}
