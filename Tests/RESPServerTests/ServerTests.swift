import NIOCore
import NIOPosix
import RESP
import RedisClient
import Testing

@testable import RESPServer

@Suite("RESP server", .serialized, .timeLimit(.minutes(5))) struct ServerTests {
    @Test("Pipelined commands are answered in order, however each is carried out")
    func pipelining() async throws {
        let table = CommandTable([
            .test("T.NOW", arity: 2, .immediate { .bulk($0.request[1] ?? ByteBuffer()) }),
            .test(
                "T.SOON", arity: 2,
                .asynchronous { invocation in
                    try? await Task.sleep(for: .milliseconds(5))
                    return .bulk(invocation.request[1] ?? ByteBuffer())
                }),
            .test(
                "T.MAYBE", arity: 2,
                .cached({ $0.request.text(1) == "hit" ? .text("hit") : nil }, otherwise: { _ in .text("miss") })),
            .test("T.LATER", .deferred { _, pending in pending.answer(.integer(1)) }),
        ])
        try await TestServer.with(table: table) { server in
            let client = try server.client()
            client.send("T.SOON a\r\nT.NOW b\r\nT.LATER\r\nT.SOON c\r\nT.MAYBE hit\r\nT.MAYBE x\r\nPING\r\n")
            await client.expect("$1\r\na\r\n$1\r\nb\r\n:1\r\n$1\r\nc\r\n$3\r\nhit\r\n$4\r\nmiss\r\n+PONG\r\n")
            for _ in 0..<200 { client.send("*2\r\n$5\r\nT.NOW\r\n$1\r\nx\r\n*2\r\n$6\r\nT.SOON\r\n$1\r\ny\r\n") }
            await client.expect(String(repeating: "$1\r\nx\r\n$1\r\ny\r\n", count: 200))
            #expect(server.answered("t.now") == 201 && server.answered("ping") == 1)
        }
    }

    @Test("A request cut anywhere, also in its first byte")
    func halfSent() async throws {
        try await TestServer.with { server in
            let client = try server.client()
            let request = "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n".utf8
            for count in 1..<request.count {
                // The first part comes with a request that is answered: it was read when the second part is sent.
                client.send("PING\r\n" + String(decoding: request.prefix(count), as: UTF8.self))
                await client.expect("+PONG\r\n")
                client.send(String(decoding: request.dropFirst(count), as: UTF8.self))
                await client.expect("$2\r\nhi\r\n")
            }
            client.send("PING\r\n*2\r\n$4\r\nECHO\r\n$5\r\nhe")
            await client.expect("+PONG\r\n")
            let other = try server.client()
            other.send("PING\r\n")
            await other.expect("+PONG\r\n")
            client.send("llo\r\n")
            await client.expect("$5\r\nhello\r\n")
        }
    }

    @Test("What is no request gets an error and the end, what stood before it an answer")
    func protocolError() async throws {
        try await TestServer.with { server in
            let client = try server.client()
            client.send("PING\r\n*1\r\nx")
            await client.expectEnd("+PONG\r\n-ERR Protocol error: expected '$', got 'x'\r\n")
            #expect(server.rejected(.request) == 1)
            let browser = try server.client()
            browser.send("POST / HTTP/1.1\r\n")
            await browser.expectEnd()
            let quitter = try server.client()
            quitter.send("QUIT\r\n")
            await quitter.expectEnd("+OK\r\n")
            try await eventually { server.connections == 0 }
        }
    }

    @Test("Commands that do not exist are one series")
    func unknown() async throws {
        try await TestServer.with { server in
            let client = try server.client()
            client.send("NOPE\r\nNADA\r\nT.GET\r\n")
            try await eventually { server.answered("unknown", "error") == 2 && server.answered("t.get", "error") == 1 }
        }
    }

    @Test("Our own client connects, logs in, and carries large values")
    func redisClient() async throws {
        let accounts = AccountStore(.test)
        try await TestServer.with(accounts: accounts) { server in
            var endpoint = server.endpoint
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            await #expect(throws: RedisError.self) {
                try await RedisConnection.connect(to: endpoint, name: "tests", on: loop)
            }
            endpoint.username = "pulse"
            endpoint.password = "sesame"
            let connection = try await RedisConnection.connect(to: endpoint, name: "tests", on: loop)
            let text = String(repeating: "x", count: 300_000)
            #expect(try await connection.send(RedisCommand("ECHO", text)).string == text)
            #expect(try await connection.send(RedisCommand("CLIENT", "GETNAME")).string == "tests")
            let info = try await connection.send(RedisCommand("INFO")).string
            #expect(info?.contains("regionsync_version:1.2.3\r\n") == true)
            #expect(info?.contains("# Clients\r\nconnected_clients:") == true)
            await connection.close()
        }
    }

    @Test("MULTI and EXEC reach the port as one")
    func transaction() async throws {
        let diary = Diary()
        let table = CommandTable(
            [.test("T.SET", arity: 2, .immediate { _ in .ok })],
            transaction: { transaction in
                diary.note(transaction.commands.compactMap { $0.request.text(1) }.joined(separator: ","))
                return .array(transaction.commands.map { _ in Reply.ok })
            })
        try await TestServer.with(table: table) { server in
            let client = try server.client()
            client.send("MULTI\r\nT.SET a\r\nT.SET b\r\nEXEC\r\nPING\r\n")
            await client.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n+PONG\r\n")
            #expect(diary.all == ["a,b"])
        }
    }

    @Test("Pushes come in the version the client speaks, between replies")
    func pushes() async throws {
        let push = Push([.text("news"), .integer(1)])
        let table = CommandTable([
            .test(
                "T.WATCH",
                .immediate { invocation in
                    invocation.client.watchBegan()
                    invocation.client.push(push)
                    return .ok
                })
        ])
        try await TestServer.with(table: table) { server in
            let two = try server.client()
            two.send("T.WATCH\r\nPING\r\n")
            await two.expect("*2\r\n$4\r\nnews\r\n:1\r\n+OK\r\n+PONG\r\n")
            let three = try server.client()
            three.send("HELLO 3\r\nPING\r\n")
            let hello = await three.read(until: "+PONG\r\n")
            #expect(hello.hasPrefix("%7\r\n"))
            three.send("CLIENT REPLY OFF\r\nT.WATCH\r\nPING\r\nCLIENT REPLY ON\r\n")
            await three.expect(">2\r\n$4\r\nnews\r\n:1\r\n+OK\r\n")
        }
    }

    @Test("Pushes of any size come in the order in which they were sent")
    func orderOfPushes() async throws {
        let large = String(repeating: "x", count: 100 << 10)
        let pushes = [Push([.text("a")]), Push([.text("b"), .text(large)]), Push([.text("c")])]
        let table = CommandTable([
            .test(
                "T.PUSH",
                .immediate { invocation in
                    for push in pushes { invocation.client.push(push) }
                    return .ok
                })
        ])
        try await TestServer.with(table: table) { server in
            let client = try server.client()
            client.send("PING\r\nT.PUSH\r\n")
            await client.expect(
                "+PONG\r\n*1\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n$102400\r\n\(large)\r\n*1\r\n$1\r\nc\r\n+OK\r\n")
        }
    }

    @Test("Who watches and goes back to RESP2 is answered and let go", arguments: ["RESET", "HELLO 2"])
    func lowered(said: String) async throws {
        let table = CommandTable([
            .test(
                "T.WATCH",
                .immediate { invocation in
                    invocation.client.watchBegan()
                    return .ok
                })
        ])
        try await TestServer.with(table: table) { server in
            let client = try server.client()
            client.send("HELLO 3\r\n\(said)\r\nHELLO 3\r\nT.WATCH\r\n")
            _ = await client.read(until: "+OK\r\n")
            client.send("\(said)\r\nPING\r\n")
            let last = await client.read(.max)
            #expect(last?.hasPrefix(said == "RESET" ? "+RESET\r\n" : "*14\r\n") == true)
            #expect(last?.contains("PONG") == false)
        }
    }

    @Test("A watch ends behind its last push: who goes back to RESP2 before that is let go without it")
    func lastPush() async throws {
        let table = CommandTable([
            .test(
                "T.LOSE",
                .immediate { invocation in
                    invocation.client.watchBegan()
                    var mailing = Mailing()
                    mailing.add(Push([.text("stale")]), to: invocation.client)
                    mailing.endWatch(of: invocation.client)
                    mailing.send()
                    return .ok
                })
        ])
        try await TestServer.with(table: table) { server in
            let patient = try server.client()
            patient.send("HELLO 3\r\nT.LOSE\r\n")
            #expect(await patient.read(until: "stale\r\n").hasSuffix("+OK\r\n>1\r\n$5\r\nstale\r\n"))
            patient.send("HELLO 2\r\nPING\r\n")
            #expect(await patient.read(until: "+PONG\r\n").hasSuffix("+PONG\r\n"))
            let hasty = try server.client()
            hasty.send("HELLO 3\r\nT.LOSE\r\nHELLO 2\r\nPING\r\n")
            let heard = await hasty.read(.max)
            #expect(heard?.contains("+OK\r\n*14\r\n") == true)
            #expect(heard?.contains("stale") == false && heard?.contains("PONG") == false)
        }
    }

    @Test("A command that waits or only reads is cancelled when its client is gone")
    func cancelled() async throws {
        let diary = Diary()
        let table = CommandTable([
            .test(
                "T.BLOCK", flags: [.blocking],
                .asynchronous { _ in
                    diary.note("began")
                    try? await Task.sleep(for: .seconds(600))
                    diary.note("cancelled")
                    return .null
                }),
            .test(
                "T.READ", flags: [.readonly],
                .cached(
                    { _ in nil },
                    otherwise: { _ in
                        diary.note("began")
                        try? await Task.sleep(for: .seconds(600))
                        diary.note("cancelled")
                        return .null
                    })),
            .test(
                "T.DEFER", flags: [.blocking],
                .deferred { _, pending in
                    diary.note("began")
                    pending.onCancel { diary.note("cancelled") }
                }),
        ])
        for command in ["T.BLOCK", "T.READ", "T.DEFER"] {
            try await TestServer.with(table: table) { server in
                let before = diary.all.count
                var client: RawClient? = try server.client()
                client?.send("\(command)\r\n")
                try await eventually { diary.all.count == before + 1 }
                client = nil
                try await eventually { diary.all.suffix(2) == ["began", "cancelled"] }
            }
        }
    }
}
