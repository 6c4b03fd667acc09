import NIOCore
import NIOPosix
import RESP
import RedisClient
import ServerFixtures
import Testing

@Suite("Connection", .timeLimit(.minutes(5))) struct ConnectionTests {
    @Test("Commands of every kind of reply, and 1 MB values")
    func replies() async throws {
        try await withConnection { connection, _ in
            #expect(connection.isOpen && connection.clientID > 0)
            #expect(try await connection.send(RedisCommand("PING")).string == "PONG")
            #expect(try await connection.send(RedisCommand("GET", "none")).isNull)
            #expect(try await connection.send(RedisCommand("INCRBY", "n", "-5")).integer == -5)
            #expect(try await connection.send(RedisCommand("CLIENT", "GETNAME")).string == "tests")

            let value = [UInt8]((0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            var run = BulkStrings()
            run.append(value)
            #expect(try await connection.send(RedisCommand(["SET", "large"], run)).string == "OK")
            let bytes = try await connection.send(RedisCommand("GET", "large")).bytes
            #expect(bytes.map { [UInt8]($0.readableBytesView) } == value)

            let script = "return {1, {'two', {3, {'four'}}}, false, redis.status_reply('FINE')}"
            let nested = try await connection.send(RedisCommand("EVAL", script, "0"))
            #expect(nested.description == "[1, [\"two\", [3, [\"four\"]]], (nil), FINE]")
        }
    }

    @Test("Error replies are typed and harm nothing")
    func errors() async throws {
        try await withConnection { connection, _ in
            _ = try await connection.send(RedisCommand("SET", "text", "a"))
            await #expect(throws: RedisError.server(code: "ERR", message: "value is not an integer or out of range")) {
                try await connection.send(RedisCommand("INCR", "text"))
            }
            await #expect(throws: RedisError.server(code: "CURSOR", message: "7-1")) {
                try await connection.send(RedisCommand("EVAL", "return redis.error_reply('CURSOR 7-1')", "0"))
            }
            let results = await connection.pipeline([
                RedisCommand("MULTI"), RedisCommand("INCR", "n"), RedisCommand("LPUSH", "text", "x"),
                RedisCommand("EXEC"),
            ])
            let answers = try #require(try results.last?.get())
            #expect(answers.count == 2)
            #expect(answers[0]?.integer == 1)
            guard case .server(code: "WRONGTYPE", _)? = answers[1]?.error else {
                Issue.record("not WRONGTYPE: \(answers)")
                return
            }
            #expect(connection.isOpen)
        }
    }

    @Test("Pipelined commands are answered in order, from within the event loop and from without")
    func pipelining() async throws {
        try await withConnection { connection, _ in
            let commands = (1...5000).map { _ in RedisCommand("INCR", "n") }
            let results = await connection.pipeline(commands)
            #expect(try results.map { try $0.get().integer } == (1...5000).map(Int64.init))
            #expect(await connection.pipeline([]).isEmpty)

            let futures = try await connection.eventLoop.submit {
                (1...1000).map { number in connection.send(RedisCommand("ECHO", "\(number)")).map(\.string) }
            }.get()
            let texts = try await EventLoopFuture.whenAllSucceed(futures, on: connection.eventLoop).get()
            #expect(texts == (1...1000).map { "\($0)" })
        }
    }

    @Test("Entries go from an XREAD into an XADD as they are")
    func copy() async throws {
        try await withConnection { connection, _ in
            let values = (0..<200).map { "value \($0) " + String(repeating: "\r\nä", count: $0) }
            _ = await connection.pipeline(
                values.enumerated().map { RedisCommand("XADD", "from", "5-\($0 + 1)", "f", $1, "g", "", "$\r\n*", "1") }
            )
            let reply = try await connection.send(RedisCommand("XREAD", "COUNT", "1000", "STREAMS", "from", "0"))
            let read = try #require(reply.streams?.first)
            #expect(String(buffer: read.key) == "from")
            #expect(read.entries.runs.map(\.entries) == [200])
            #expect(read.entries.runs.map(\.fields) == [3])
            #expect(read.entries.lastID.map { String(buffer: $0) } == "5-200")
            var expected = BulkStrings()
            for (index, value) in values.enumerated() {
                for string in ["5-\(index + 1)", "f", value, "g", "", "$\r\n*", "1"] { expected.append(string) }
            }
            #expect(read.entries.wire == expected.buffer)

            var run = BulkStrings()
            run.append(wire: read.entries.wire, count: read.entries.wireCount)
            let script = """
                for i = 1, #ARGV, 7 do redis.call('XADD', KEYS[1], unpack(ARGV, i, i + 6)) end
                """
            _ = try await connection.send(RedisCommand(["EVAL", script, "1", "to"], run))
            let copied = try await connection.send(RedisCommand("XRANGE", "to", "-", "+"))
            #expect(copied.wire == read.entries.wire)
        }
    }

    @Test("A blocking read waits longer than other commands, and can be woken by its client ID")
    func blocking() async throws {
        try await withConnection(responseTimeout: .milliseconds(100)) { connection, endpoint in
            let read = RedisCommand("XREAD", "BLOCK", "400", "STREAMS", "s", "$").blocking(for: .milliseconds(400))
            #expect(try await connection.send(read).streams?.isEmpty == true)

            var patient = endpoint
            patient.responseTimeout = .seconds(60)
            let other = try await RedisConnection.connect(to: patient, name: "other", on: connection.eventLoop)
            let long = RedisCommand("XREAD", "BLOCK", "30000", "STREAMS", "s", "$").blocking(for: .seconds(30))
            async let reply = connection.send(long)
            var woken: Int64? = 0
            while woken == 0 {
                woken = try await other.send(RedisCommand("CLIENT", "UNBLOCK", "\(connection.clientID)")).integer
            }
            #expect(try await reply.isNull)
            await other.close()
        }
    }

    @Test("Closing fails what is in flight; a closed connection takes nothing more")
    func closing() async throws {
        try await withConnection { connection, _ in
            async let results = connection.pipeline([RedisCommand("BLPOP", "q", "30").blocking(for: .seconds(30))])
            _ = try? await connection.eventLoop.submit {}.get()
            await connection.close()
            let result = await results.first
            #expect(throws: RedisError.closed) { try result?.get() }
            #expect(!connection.isOpen)
            let reason = try await connection.closeFuture.get()
            #expect(reason == .closed)
            await #expect(throws: RedisError.closed) { try await connection.send(RedisCommand("PING")) }
        }
    }
}
