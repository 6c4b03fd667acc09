import NIOCore
import RESP
import Testing

@testable import RESPServer

@Suite("RESP server limits", .serialized, .timeLimit(.minutes(5))) struct ServerLimitTests {
    private static let large = ByteBuffer(repeating: 0x78, count: 256 << 10)

    /// `T.LARGE` answers 256 KiB, `T.WATCH` pushes as much as `pushes` says.
    private static func table(pushes: Int = 0) -> CommandTable {
        let push = Push([.text("news"), .bulk(large)])
        return CommandTable([
            .test("T.LARGE", .immediate { _ in .bulk(large) }),
            .test(
                "T.WATCH",
                .immediate { invocation in
                    invocation.client.watchBegan()
                    for _ in 0..<pushes { invocation.client.push(push) }
                    return .ok
                }),
        ])
    }

    @Test("A client that asks for much at once leaves the event loop to others before it has all of it")
    func turns() async throws {
        let diary = Diary()
        let reply = String(repeating: "x", count: 1 << 10)
        let table = CommandTable([
            .test(
                "T.KIB",
                .immediate { invocation in
                    if diary.all.isEmpty { invocation.client.eventLoop.execute { diary.note("another") } }
                    diary.note("one")
                    return .text(reply)
                })
        ])
        try await TestServer.with(table: table, { $0.outputPause = 1 << 10...4 << 10 }) { server in
            let client = try server.client()
            client.send(String(repeating: "T.KIB\r\n", count: 40))
            await client.expect(String(repeating: "$1024\r\n\(reply)\r\n", count: 40))
            let place = try #require(diary.all.firstIndex(of: "another"))
            #expect(place <= 4)
            #expect(diary.all.count == 41)
        }
    }

    @Test("What a client may send before it has logged in, and after")
    func requests() async throws {
        try await TestServer.with(accounts: AccountStore(.test)) { server in
            let many = try server.client()
            many.send("*11\r\n")
            await many.expectEnd("-ERR Protocol error: unauthenticated multibulk length\r\n")
            let long = try server.client()
            long.send("*2\r\n$4\r\nAUTH\r\n$16385\r\n")
            await long.expectEnd("-ERR Protocol error: unauthenticated bulk length\r\n")

            let known = try server.client()
            known.send("AUTH pulse sesame\r\n*11\r\n$4\r\nPING\r\n" + String(repeating: "$1\r\na\r\n", count: 10))
            await known.expect("+OK\r\n-ERR wrong number of arguments for 'ping' command\r\n")
            let word = String(repeating: "x", count: 60_000)
            try await known.sendAll("*2\r\n$4\r\nECHO\r\n$60000\r\n\(word)\r\n")
            await known.expect("$60000\r\n\(word)\r\n")
            known.send("*65537\r\n")
            await known.expectEnd("-ERR Protocol error: invalid multibulk length\r\n")
            let longer = try server.client()
            longer.send("AUTH pulse sesame\r\n*2\r\n$4\r\nECHO\r\n$524289\r\n")
            await longer.expectEnd("+OK\r\n-ERR Protocol error: invalid bulk length\r\n")
            #expect(server.rejected(.request) == 4)
        }
    }

    @Test("How large a request may be as a whole, and a line without an end")
    func requestSizes() async throws {
        let word = { @Sendable (bytes: Int) in "$\(bytes)\r\n\(String(repeating: "x", count: bytes))\r\n" }
        let (before, after) = (RequestLimits.beforeAuthentication, RequestLimits.afterAuthentication)
        try await TestServer.with(accounts: AccountStore(.test)) { server in
            let large = try server.client()
            let words = String(repeating: word(before.bulkBytes), count: 3)
            try await large.sendAll("*5\r\n$4\r\nAUTH\r\n\(words)$\(before.bulkBytes)\r\n")
            await large.expectEnd("-ERR Protocol error: too big request\r\n")
            let endless = try server.client()
            try await endless.sendAll(String(repeating: "x", count: before.queryBytes))
            await endless.expectEnd("-ERR Protocol error: too big inline request\r\n")

            let known = try server.client()
            known.send("AUTH pulse sesame\r\n")
            await known.expect("+OK\r\n")
            let most = after.queryBytes - 64 - after.bulkBytes
            try await known.sendAll("*3\r\n$4\r\nECHO\r\n\(word(after.bulkBytes))\(word(most))")
            await known.expect("-ERR wrong number of arguments for 'echo' command\r\n")
            try await known.sendAll("*3\r\n$4\r\nECHO\r\n\(word(after.bulkBytes))$\(after.bulkBytes)\r\n")
            await known.expectEnd("-ERR Protocol error: too big request\r\n")
            #expect(server.rejected(.request) == 3)
        }
    }

    @Test("Who has not logged in in time is cut off; who has is not")
    func handshake() async throws {
        try await TestServer.with(accounts: AccountStore(.test), { $0.handshakeTime = .milliseconds(400) }) { server in
            let known = try await server.client(saying: "AUTH pulse sesame\r\n", answered: "+OK\r\n")
            let silent = try server.client()
            await silent.expectEnd()
            let talkative = try await server.client(
                saying: "PING\r\n", answered: "-NOAUTH Authentication required.\r\n")
            await talkative.expectEnd()
            #expect(server.rejected(.handshake) >= 2)
            known.send("PING\r\n")
            await known.expect("+PONG\r\n")
        }
    }

    @Test("Where nobody has to log in a first request is due")
    func firstRequest() async throws {
        try await TestServer.with({ $0.handshakeTime = .milliseconds(300) }) { server in
            let silent = try server.client()
            silent.send("PIN")
            await silent.expectEnd()
            #expect(server.rejected(.handshake) == 1)
        }
    }

    @Test("A client that has not logged in and does not read is cut off at once")
    func outputBeforeLogin() async throws {
        try await TestServer.with(accounts: AccountStore(.test)) { server in
            let deaf = try server.client(receiveBytes: 4096)
            let flood = String(repeating: "PING\r\n", count: 2000)
            try await eventually {
                deaf.send(flood)
                return server.rejected(.output) == 1
            }
            try await eventually { server.connections == 0 }
        }
    }

    @Test("A client that does not read is not run for, then cut off; others do not notice")
    func stalled() async throws {
        let limits: (inout ListenerLimits) -> Void = { $0.stallTime = .milliseconds(500) }
        try await TestServer.with(table: Self.table(), limits) { server in
            let deaf = try server.client(receiveBytes: 4096)
            deaf.send(String(repeating: "T.LARGE\r\n", count: 2000))
            let other = try server.client()
            try await eventually {
                other.send("PING\r\n")
                await other.expect("+PONG\r\n")
                return server.rejected(.stalled) == 1
            }
            #expect(server.answered("t.large") < 2000)
        }
    }

    @Test("Pushes that are not taken are bounded: the client is cut off")
    func output() async throws {
        let limits: (inout ListenerLimits) -> Void = { $0.outputBytes = 8 << 20 }
        try await TestServer.with(table: Self.table(pushes: 200), limits) { server in
            let deaf = try server.client(receiveBytes: 4096)
            deaf.send("T.WATCH\r\n")
            try await eventually { server.rejected(.output) == 1 && server.connections == 0 }
        }
    }

    @Test("Who waits until a client has taken what it was sent pushes no more than that, and ends when it is gone")
    func drained() async throws {
        let diary = Diary()
        let push = Push([.text("news"), .bulk(Self.large)])
        let table = CommandTable([
            .test(
                "T.FLOOD",
                .asynchronous { invocation in
                    for _ in 0..<40 {
                        await invocation.client.drained()
                        invocation.client.push(push)
                        diary.note("pushed")
                    }
                    diary.note("over")
                    return .ok
                })
        ])
        try await TestServer.with(table: table, { $0.outputBytes = 1 << 20 }) { server in
            let slow = try server.client(receiveBytes: 4096)
            slow.send("T.FLOOD\r\n")
            try await untilSteady { diary.all.count }
            #expect(diary.all.count < 40)
            let pushed = "*2\r\n$4\r\nnews\r\n$262144\r\n\r\n".utf8.count + (256 << 10)
            let text = await slow.read(40 * pushed + "+OK\r\n".utf8.count)
            #expect(text?.hasSuffix("+OK\r\n") == true)
            #expect(server.rejected(.output) == 0)

            var leaving: RawClient? = try server.client(receiveBytes: 4096)
            leaving?.send("T.FLOOD\r\n")
            try await eventually { diary.all.count > 42 }
            leaving = nil
            try await eventually { diary.all.filter { $0 == "over" }.count == 2 }
        }
    }

    @Test("A client that reads, slowly, gets everything")
    func slow() async throws {
        try await TestServer.with(table: Self.table()) { server in
            let slow = try server.client(receiveBytes: 4096)
            slow.send(String(repeating: "T.LARGE\r\n", count: 8) + "PING\r\n")
            try await untilSteady { Int(server.answered("t.large")) }
            let bytes = 8 * ("$262144\r\n".utf8.count + (256 << 10) + 2)
            let text = await slow.read(bytes)
            #expect(text?.utf8.count == bytes)
            await slow.expect("+PONG\r\n")
        }
    }

    @Test("A client that is further ahead than may be kept is not read from, and loses nothing")
    func backlog() async throws {
        let gate = Gate()
        let table = CommandTable([.gated(by: gate)])
        try await TestServer.with(table: table, { $0.backlogBytes = 1024 }) { server in
            let client = try server.client()
            client.send("T.GATE\r\n")
            // Lines that are no requests, and may be cut anywhere.
            let spaces = String(repeating: String(repeating: " ", count: 1023) + "\n", count: 64)
            var sent = 0
            var pauses = 0
            while sent < 32 << 20, pauses < 100 {
                let count = client.send(spaces)
                sent += count
                pauses = count > 0 ? 0 : pauses + 1
                if count == 0 { try await Task.sleep(for: .milliseconds(5)) }
            }
            #expect(sent < 32 << 20, "it was read though nothing could be run")
            gate.open()
            await client.expect("+OK\r\n")
            for byte in ["\n", "P", "I", "N", "G", "\n"] { try await eventually { client.send(byte) == 1 } }
            await client.expect("+PONG\r\n")
        }
    }

    @Test("Silent clients are cut off, those that watch are not")
    func idle() async throws {
        try await TestServer.with(table: Self.table(), { $0.idleTime = .milliseconds(300) }) { server in
            let watcher = try await server.client(saying: "T.WATCH\r\n", answered: "+OK\r\n")
            let silent = try await server.client(saying: "PING\r\n", answered: "+PONG\r\n")
            await silent.expectEnd()
            #expect(server.rejected(.idle) >= 1)
            watcher.send("PING\r\n")
            await watcher.expect("+PONG\r\n")
        }
    }

    @Test("Connections in all, and of one source")
    func connections() async throws {
        for (clients, perSource, reason) in [(2, 9, Rejection.clients), (9, 2, .clientsPerSource)] {
            let limits: (inout ListenerLimits) -> Void = {
                $0.clients = clients
                $0.clientsPerSource = perSource
            }
            try await TestServer.with(limits) { server in
                let first = try server.client()
                first.send("PING\r\n")
                await first.expect("+PONG\r\n")
                var second: RawClient? = try server.client()
                second?.send("PING\r\n")
                await second?.expect("+PONG\r\n")
                let third = try server.client()
                await third.expectEnd("-ERR max number of clients reached\r\n")
                #expect(server.rejected(reason) == 1 && server.connections == 2)
                second = nil
                try await eventually { server.connections == 1 }
                let fourth = try server.client()
                fourth.send("PING\r\n")
                await fourth.expect("+PONG\r\n")
            }
        }
    }

    @Test("Failed logins of a source make it wait, then are not looked at")
    func logins() async throws {
        let limits: (inout ListenerLimits) -> Void = {
            $0.logins.freeFailures = 1
            $0.logins.firstDelay = .seconds(600)
            $0.logins.longestDelay = .seconds(600)
            $0.logins.longestWait = .zero
        }
        try await TestServer.with(accounts: AccountStore(.test), limits) { server in
            let client = try server.client()
            let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
            client.send("AUTH pulse a\r\nAUTH pulse b\r\nAUTH pulse sesame\r\nPING\r\n")
            await client.expect(
                wrong + wrong + "-LIMIT too many failed logins from this address; try again later\r\n"
                    + "-NOAUTH Authentication required.\r\n")
            #expect(server.rejected(.login) == 2 && server.rejected(.throttled) == 1)
        }
    }

    @Test("A login that has to wait is answered, and what stands behind it after that")
    func delayedLogin() async throws {
        let limits: (inout ListenerLimits) -> Void = {
            $0.logins.freeFailures = 0
            $0.logins.firstDelay = .milliseconds(50)
        }
        try await TestServer.with(accounts: AccountStore(.test), limits) { server in
            let client = try server.client()
            client.send("AUTH pulse a\r\nAUTH pulse sesame\r\nPING\r\n")
            await client.expect(
                "-WRONGPASS invalid username-password pair or user is disabled.\r\n+OK\r\n+PONG\r\n")
        }
    }

    @Test("A login that has to wait is not looked at before its turn")
    func waitingLogin() async throws {
        let limits: (inout ListenerLimits) -> Void = {
            $0.logins.freeFailures = 0
            $0.logins.firstDelay = .seconds(600)
            $0.logins.longestDelay = .seconds(600)
            $0.logins.longestWait = .seconds(600)
            $0.drainTime = .milliseconds(300)
        }
        try await TestServer.with(accounts: AccountStore(.test), limits) { server in
            let client = try server.client()
            client.send("AUTH pulse a\r\nAUTH pulse sesame\r\nPING\r\n")
            await client.expect("-WRONGPASS invalid username-password pair or user is disabled.\r\n")
            await server.shutDown()
            await client.expectEnd()
            #expect(server.rejected(.drainTime) == 1)
        }
    }
}
