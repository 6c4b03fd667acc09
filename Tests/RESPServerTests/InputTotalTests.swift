import RESP
import Testing

@testable import RESPServer

@Suite("Input of all clients", .timeLimit(.minutes(5))) struct InputTotalTests {
    private static let refusal = "-LIMIT too much is kept of what clients sent; try again later\r\n"
    private static let word = String(repeating: "x", count: 200_000)

    @Test("What is kept is counted as it is now, and not for who is gone")
    func counts() {
        var total = InputTotal(limit: 100)
        for (bytes, client, sum) in [
            (60, 1, 60), (40, 2, 100), (10, 1, 50), (0, 2, 10), (0, 2, 10), (0, 1, 0),
        ] as [(Int, Int64, Int)] {
            let removed = total.keeps(bytes, for: client)
            #expect(removed.isEmpty && total.byteCount == sum)
        }
    }

    @Test("Who has not got on for longest goes, as many as it takes, and not who sends much now")
    func slowest() {
        var total = InputTotal(limit: 100)
        // More is no getting on, less is.
        for (bytes, client) in [(20, 1), (20, 2), (20, 3), (20, 4), (21, 1), (19, 2)] as [(Int, Int64)] {
            #expect(total.keeps(bytes, for: client).isEmpty)
        }
        let removed = total.keeps(60, for: 5)
        #expect(removed == [1, 3] && total.byteCount == 99)
        let next = total.keeps(61, for: 5)
        #expect(next.isEmpty)
        let last = total.keeps(63, for: 5)
        #expect(last == [4])
    }

    @Test("Who holds little stays, however long")
    func small() {
        var total = InputTotal(limit: 100)
        #expect(total.keeps(16, for: 1).isEmpty)
        #expect(total.keeps(60, for: 2).isEmpty)
        let removed = total.keeps(30, for: 3)
        #expect(removed == [2] && total.byteCount == 46)
    }

    @Test("Who holds too much alone goes")
    func alone() {
        var total = InputTotal(limit: 100)
        let removed = total.keeps(101, for: 1)
        #expect(removed == [1] && total.byteCount == 0)
    }

    @Test("Commands that clients do not finish take no more than may be kept for all; others go on")
    func halfSent() async throws {
        try await TestServer.with({ $0.totalInputBytes = 1000 << 10 }) { server in
            let half = "*2\r\n$4\r\nECHO\r\n$\(Self.word.utf8.count)\r\n\(Self.word)"
            var slow: [RawClient] = []
            for _ in 0..<8 {
                let client = try server.client()
                try await client.sendAll(half)
                slow.append(client)
            }
            // Each takes 256 KiB and a little more: there is room for three.
            try await eventually { server.rejected(.inputTotal) == 5 }
            await slow[0].expectEnd(Self.refusal)

            let other = try server.client()
            for _ in 0..<16 {
                try await other.sendAll("\(half)\r\n")
                await other.expect("$\(Self.word.utf8.count)\r\n\(Self.word)\r\n")
            }
            slow = []
            try await eventually { server.connections == 1 }
            let before = server.rejected(.inputTotal)
            for _ in 0..<3 {
                let client = try server.client()
                try await client.sendAll(half)
                slow.append(client)
            }
            for client in slow {
                client.send("\r\n")
                await client.expect("$\(Self.word.utf8.count)\r\n\(Self.word)\r\n")
            }
            #expect(server.rejected(.inputTotal) == before)
        }
    }

    @Test("So do transactions; what one held is given back when it is carried out, or discarded")
    func transactions() async throws {
        let word = String(repeating: "x", count: 120_000)
        let begun = "MULTI\r\n" + String(repeating: "*3\r\n$5\r\nT.PUT\r\n$1\r\na\r\n$120000\r\n\(word)\r\n", count: 4)
        let queued = "+OK\r\n" + String(repeating: "+QUEUED\r\n", count: 4)
        try await TestServer.with({ $0.totalInputBytes = 900 << 10 }) { server in
            let slow = try server.client()
            try await slow.sendAll(begun)
            await slow.expect(queued)
            let other = try server.client()
            try await other.sendAll(begun)
            await other.expect(queued)
            await slow.expectEnd(Self.refusal)
            other.send("EXEC\r\n")
            await other.expect("*4\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n")
            for end in ["DISCARD", "RESET", "DISCARD"] {
                try await other.sendAll(begun)
                await other.expect(queued)
                other.send("\(end)\r\n")
                await other.expect(end == "RESET" ? "+RESET\r\n" : "+OK\r\n")
            }
            #expect(server.rejected(.inputTotal) == 1)
        }
    }

    @Test("A command that waits keeps its request; its client is cut off without an error, which would be its reply")
    func running() async throws {
        let gate = Gate()
        let diary = Diary()
        let table = CommandTable([.gated(arity: 2, by: gate, diary)])
        try await TestServer.with(table: table, { $0.totalInputBytes = 700 << 10 }) { server in
            let count = 300_000
            let word = "$\(count)\r\n\(String(repeating: "x", count: count))\r\n"
            let waiting = try server.client()
            try await waiting.sendAll("*2\r\n$6\r\nT.GATE\r\n\(word)")
            try await eventually { diary.all.count == 1 }
            let other = try server.client()
            let echo = "*2\r\n$4\r\nECHO\r\n\(word)"
            try await other.sendAll(String(echo.prefix(200_000)))
            await waiting.expectEnd()
            try await other.sendAll(String(echo.dropFirst(200_000)))
            await other.expect(word)
            // What it held is given back.
            try await other.sendAll("*2\r\n$6\r\nT.GATE\r\n\(word)")
            try await eventually { diary.all.count == 2 }
            gate.open()
            await other.expect("+OK\r\n")
            #expect(server.rejected(.inputTotal) == 1)
        }
    }

    @Test("Small commands that wait behind one another are no matter")
    func uncounted() async throws {
        let gate = Gate()
        let diary = Diary()
        let table = CommandTable([.gated(by: gate, diary)])
        try await TestServer.with(table: table, { $0.totalInputBytes = 1 }) { server in
            let client = try server.client()
            client.send(String(repeating: "T.GATE\r\n", count: 100))
            try await eventually { !diary.all.isEmpty }
            gate.open()
            await client.expect(String(repeating: "+OK\r\n", count: 100))
            #expect(server.rejected(.inputTotal) == 0)
        }
    }
}
