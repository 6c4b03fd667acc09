import NIOCore
import RESP
import RESPServer
import RedisClient
import ServerFixtures
import Testing
import VoiceEvents

@testable import VoiceListener

@Suite("Requests to voice front ends") struct RequestTests {
    private static let key = "rs:{101}:requests:us-east"
    /// How many references there are.
    private static let references: Int64 = 4_294_967_295

    /// Whether the second of two references was given out behind the first: they go around.
    private static func isBehind(_ first: Int64, _ second: Int64) -> Bool {
        (1...references).contains(second) && 1..<references / 2 ~= (second - first + references) % references
    }

    /// The same of what a client was answered.
    private static func isBehind(_ first: String, _ second: String) throws -> Bool {
        let former = try #require(Int64(first))
        let latter = try #require(Int64(second))
        return isBehind(former, latter)
    }

    @Test("each kind is put on the tenant's journal with its arguments, under a reference that rises")
    func puts() async throws {
        let asked: [(said: String, key: String, data: String)] = [
            (
                #"CALL.MAKE 101 1001 1002 TYPE 3 DATA {"a":1}"#, "1001",
                #"{"ThisDN":"1001","CallType":3,"OtherDN":"1002","UserData":{"a":1}}"#
            ),
            ("call.answer 101 1002 c1", "c1", #"{"ThisDN":"1002","ConnID":"c1"}"#),
            ("CALL.HOLD 101 1002 c1", "c1", #"{"ThisDN":"1002","ConnID":"c1"}"#),
            ("CALL.RETRIEVE 101 1002 c1", "c1", #"{"ThisDN":"1002","ConnID":"c1"}"#),
            ("CALL.RELEASE 101 1002 c1", "c1", #"{"ThisDN":"1002","ConnID":"c1"}"#),
            ("CALL.TRANSFER 101 1002 c1 1003", "c1", #"{"ThisDN":"1002","ConnID":"c1","OtherDN":"1003"}"#),
            ("CALL.CONFERENCE 101 1002 c1 1003", "c1", #"{"ThisDN":"1002","ConnID":"c1","OtherDN":"1003"}"#),
            ("CALL.COMPLETE 101 1002 c1 c2", "c1", #"{"ThisDN":"1002","ConnID":"c1","TransferConnID":"c2"}"#),
            ("CALL.DTMF 101 1002 c1 1*#,A", "c1", #"{"ThisDN":"1002","ConnID":"c1","Extensions":{"Digits":"1*#,A"}}"#),
            ("CALL.DATA 101 1002 c1 {}", "c1", #"{"ThisDN":"1002","ConnID":"c1","UserData":{}}"#),
            (
                "AGENT.LOGIN 101 1001 A1 mode 1 queue 9001", "A1",
                #"{"ThisDN":"1001","ThisQueue":"9001","AgentID":"A1","WorkMode":1}"#
            ),
            ("AGENT.LOGOUT 101 1001", "1001", #"{"ThisDN":"1001"}"#),
            ("AGENT.LOGOUT 101 1001 A1 ONCE k", "A1", #"{"ThisDN":"1001","AgentID":"A1"}"#),
            ("AGENT.READY 101 1001 A1", "A1", #"{"ThisDN":"1001","AgentID":"A1"}"#),
            (
                "AGENT.NOTREADY 101 1001 A1 REASON Lunch MODE 4", "A1",
                #"{"ThisDN":"1001","AgentID":"A1","Reasons":{"Reason":"Lunch"},"WorkMode":4}"#
            ),
        ]
        try await WritingPort.with { port in
            let client = try await port.client()
            var references: [Int64] = []
            for request in asked {
                let words = request.said.split(separator: " ").map(String.init)
                let answer = try await client.send(RedisCommand(words: words, runs: []))
                references.append(try #require(answer.integer))
            }
            #expect(zip(references, references.dropFirst()).allSatisfy { Self.isBehind($0, $1) })
            let entries = try await port.server.send(RedisCommand("XRANGE", Self.key, "-", "+"))
            #expect(entries.count == asked.count)
            for (reference, (entry, request)) in zip(references, zip(entries.elements, asked)) {
                let kind = request.said.prefix { $0 != " " }.uppercased()
                let fields = entry[1]?.elements.compactMap(\.string)
                let expected = [
                    "request", kind, "reference", "\(reference)", "key", request.key, "data", request.data,
                ]
                #expect(fields == expected)
                #expect(CallRequest(request: kind, data: request.data)?.key == request.key)
            }
            await client.close()
        }
    }

    @Test("all kinds are commands, with the arguments that they are told to have")
    func areAllThere() {
        #expect(Set(RequestForm.all.map(\.kind)) == Set(CallRequest.Kind.allCases))
        #expect(RequestForm.all.count == CallRequest.Kind.allCases.count)
        for form in RequestForm.all {
            let fixed = form.documentation.arguments.prefix { !$0.isOptional }.count
            #expect(form.arity == -(fixed + 1))
            #expect(form.documentation.arguments.last?.token == "ONCE")
        }
    }

    @Test(
        "what is written wrongly is refused",
        arguments: [
            ("CALL.MAKE 101 1001 1001", "ERR otherDN: expected another"),
            ("CALL.MAKE 101 1001 \(String(repeating: "1", count: 65))", "ERR otherDN: expected 1 to 64"),
            ("CALL.MAKE 101  1002", "ERR thisDN: expected 1 to 64"),
            ("CALL.MAKE 101 10\u{1}1 1002", "ERR thisDN: expected 1 to 64"),
            ("CALL.MAKE 101 1001 1002 TYPE", "ERR syntax error"),
            ("CALL.MAKE 101 1001 1002 TYPE 4", "ERR TYPE: expected 0"),
            ("CALL.MAKE 101 1001 1002 TYPE 1 TYPE 1", "ERR syntax error"),
            ("CALL.MAKE 101 1001 1002 MODE 1", "ERR syntax error"),
            ("CALL.MAKE 101 1001 1002 DATA 1", "ERR DATA: expected a JSON object"),
            ("CALL.MAKE 101 1001 1002 ONCE ", "ERR ONCE: expected"),
            ("CALL.MAKE 101 1001 1002 ONCE \(String(repeating: "k", count: 129))", "ERR ONCE: expected"),
            ("CALL.DTMF 101 1001 c1 \(String(repeating: "1", count: 65))", "ERR digits: expected"),
            ("AGENT.LOGIN 101 1001 \(String(repeating: "a", count: 65))", "ERR agentID: expected"),
            ("CALL.HOLD 101 1001 c/1", "ERR connID: expected"),
            ("CALL.HOLD 101 1001 \(String(repeating: "c", count: 65))", "ERR connID: expected"),
            ("CALL.COMPLETE 101 1001 c1 c{2}", "ERR consultConnID: expected"),
            ("CALL.DTMF 101 1001 c1 12e", "ERR digits: expected"),
            ("CALL.DTMF 101 1001 c1 ", "ERR digits: expected"),
            ("CALL.DATA 101 1001 c1 {", "ERR json: expected a JSON object"),
            ("CALL.DATA 101 1001 c1 {\"a\":\"\(String(repeating: "x", count: 65_536))\"}", "LIMIT json: 65536"),
            ("AGENT.LOGIN 101 1001 A1 MODE 5", "ERR MODE: expected 0"),
            ("AGENT.LOGIN 101 1001 A1 MODE x", "ERR MODE: expected 0"),
            ("AGENT.LOGIN 101 1001 A1 QUEUE ", "ERR QUEUE: expected"),
            ("AGENT.LOGOUT 101 1001 ONCE k x", "ERR syntax error"),
            ("AGENT.READY 101 1001 A1 REASON \(String(repeating: "x", count: 257))", "ERR REASON: expected"),
        ])
    func refuses(said: String, error: String) throws {
        let words = said.split(separator: " ", omittingEmptySubsequences: false).map { Array($0.utf8) }
        let form = try #require(RequestForm.all.first { said.hasPrefix($0.kind.rawValue + " ") })
        let refusal = #expect(throws: ReplyError.self) { try form.read(Request(bytes: words)) }
        #expect(refusal?.description.hasPrefix(error) == true, "\(refusal?.description ?? "none")")
    }

    @Test("words as long as they may be are taken")
    func takesWhatItMay() throws {
        let name = String(repeating: "1", count: RequestWords.nameBytes)
        let reason = String(repeating: "r", count: RequestWords.reasonBytes)
        let once = String(repeating: "k", count: RequestWords.onceBytes)
        let data = #"{"a":""# + String(repeating: "x", count: RequestWords.dataBytes - 8) + #""}"#
        let lines = [
            ["CALL.MAKE", "101", name, "2\(name.dropFirst())", "DATA", data, "ONCE", once],
            ["CALL.COMPLETE", "101", name, name, name], ["CALL.DTMF", "101", name, name, name],
            ["AGENT.NOTREADY", "101", name, name, "REASON", reason],
        ]
        for line in lines {
            let form = try #require(RequestForm.all.first { $0.kind.rawValue == line[0] })
            let asked = try form.read(Request(bytes: line.map { Array($0.utf8) }))
            #expect(asked.request.thisDN == name)
        }
    }

    @Test("names that are no UTF-8 are refused")
    func refusesInvalidText() throws {
        let form = try #require(RequestForm.all.first { $0.kind == .login })
        let words = [Array("AGENT.LOGIN".utf8), Array("101".utf8), Array("1001".utf8), [0x41, 0xff]]
        #expect(throws: ReplyError.self) { try form.read(Request(bytes: words)) }
    }

    @Test("what is asked once has one entry and one reference, for a day; something else under its key is refused")
    func once() async throws {
        try await WritingPort.with { port in
            let client = try await port.client()
            let first = try await client.say("CALL.MAKE", "101", "1001", "1002", "ONCE", "k1")
            // As after an answer that was lost.
            let other = try await port.client()
            #expect(try await other.say("CALL.MAKE", "101", "1001", "1002", "once", "k1") == first)
            let conflict = try await other.say("CALL.MAKE", "101", "1001", "1003", "ONCE", "k1")
            #expect(conflict.hasPrefix("(CONFLICT "))
            let second = try await other.say("CALL.MAKE", "101", "1001", "1002", "ONCE", "k2")
            #expect(try Self.isBehind(first, second))
            // Another tenant's keys are others.
            #expect(try await !other.say("CALL.MAKE", "102", "1001", "1003", "ONCE", "k1").hasPrefix("("))
            #expect(try await port.server.send(RedisCommand("XLEN", Self.key)).integer == 2)
            let key = OnceMemory.key("k1", of: "default", tenant: "101", region: "us-east")
            let lifetime = try await port.server.send(RedisCommand("TTL", key)).integer
            #expect((86_000...86_400).contains(lifetime ?? 0))
            // And another account's.
            let desk = try await port.client("desk")
            let third = try await desk.say("CALL.MAKE", "101", "1001", "1003", "ONCE", "k1")
            #expect(try Self.isBehind(second, third))
            await desk.close()
            await client.close()
            await other.close()
        }
    }

    @Test("references follow the one that is ahead, counter or clock, go around behind 2^32 - 1, and none is 0")
    func goesAround() async throws {
        let asked: [(last: String, now: String, next: Int64)] = [
            ("", "0", 1), ("", "4294967294", 4_294_967_295), ("", "4294967295", 1), ("", "179589123060", 3_495_463_966),
            ("7", "7", 8), ("7", "8", 9), ("7", "1000", 1001), ("1000", "7", 1001), ("5", "4294967200", 6),
            ("4294967294", "4294967200", 4_294_967_295), ("4294967295", "4294967200", 1), ("4294967290", "4", 5),
            ("4294967295", "0", 1), ("1", "2147483648", 2_147_483_649), ("1", "2147483649", 2),
        ]
        let script = RequestFunctions.nextReference + "\nreturn next_reference(tonumber(ARGV[1]), tonumber(ARGV[2]))"
        try await WritingPort.with { port in
            for (last, now, next) in asked {
                let answer = try await port.server.send(RedisCommand("EVAL", script, "0", last, now))
                #expect(answer.integer == next, "behind \(last) at \(now)")
            }
        }
    }

    @Test("references follow the counter while it is ahead, and the clock when it is lost; lost functions are loaded")
    func outlastsLoss() async throws {
        try await WritingPort.with { port in
            let client = try await port.client()
            func ask() async throws -> Int64 {
                let answer = try await client.say("CALL.HOLD", "101", "1001", "c1")
                return try #require(Int64(answer))
            }
            let first = try await ask()
            let ahead = (first + 1_000_000) % Self.references + 1
            _ = try await port.server.send(
                RedisCommand("SET", RequestJournal.counterKey(tenant: "101", region: "us-east"), "\(ahead)"))
            _ = try await port.server.send(RedisCommand("FUNCTION", "FLUSH"))
            #expect(try await ask() == ahead % Self.references + 1)
            // Where one was given out behind the clock by one, the next hundredth of a second is enough.
            _ = try await port.server.send(RedisCommand("FLUSHALL"))
            try await port.until("the clock is ahead") {
                let time = try await port.server.send(RedisCommand("TIME"))
                let now = (time[0]?.string).flatMap { Int64($0) }.map { $0 * 100 } ?? 0
                return Self.isBehind(first, now % Self.references + 1)
            }
            let next = try await ask()
            #expect(Self.isBehind(first, next))
            await client.close()
        }
    }

    @Test("the journal forgets requests of more than a day ago, and keeps about 10,000 of the others")
    func forgets() async throws {
        try await WritingPort.with { port in
            let client = try await port.client()
            let old = (1...250).map { RedisCommand("XADD", Self.key, "1-\($0)", "request", "old") }
            for result in await port.server.pipeline(old) { _ = try result.get() }
            _ = try await client.say("CALL.HOLD", "101", "1001", "c1")
            let kept = try await port.server.send(RedisCommand("XLEN", Self.key)).integer ?? 0
            #expect(kept < 250)
            let many = (1...10_400).map { _ in RedisCommand("XADD", Self.key, "*", "request", "waits") }
            for result in await port.server.pipeline(many) { _ = try result.get() }
            _ = try await client.say("CALL.HOLD", "101", "1001", "c1")
            let length = try await port.server.send(RedisCommand("XLEN", Self.key)).integer ?? 0
            #expect((10_000...10_200).contains(length))
            await client.close()
        }
    }

    @Test("a Redis that refuses leaves neither entry nor reference; who may not ask is told so")
    func refusesWhole() async throws {
        try await WritingPort.with { port in
            let client = try await port.client()
            _ = try await client.say("CALL.HOLD", "101", "1001", "c1")
            _ = try await port.server.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
            let answer = try await client.say("CALL.HOLD", "101", "1001", "c1", "ONCE", "k")
            #expect(answer.hasPrefix("(UNAVAILABLE ") && answer.contains("OOM"))
            _ = try await port.server.send(RedisCommand("CONFIG", "SET", "maxmemory", "0"))
            let reference = try await client.say("CALL.HOLD", "101", "1001", "c1", "ONCE", "k")
            #expect(try await client.say("CALL.HOLD", "101", "1001", "c1", "ONCE", "k") == reference)
            #expect(try await port.server.send(RedisCommand("XLEN", Self.key)).integer == 2)
            let desk = try await port.client("desk")
            for tenant in ["102", "Acme", "nobody"] {
                for words in [["CALL.HOLD", tenant, "1001", "c1"], ["AGENT.LOGOUT", tenant, "1001"]] {
                    await #expect(throws: RedisError.server(code: "NOTENANT", message: "no such tenant")) {
                        let _: RedisReply = try await desk.send(RedisCommand(words: words, runs: []))
                    }
                }
            }
            let next = try await desk.say("CALL.HOLD", "101", "1001", "c1")
            #expect(try Self.isBehind(reference, next))
            let reader = try await port.client("pulse")
            #expect(try await reader.say("CALL.HOLD", "101", "1001", "c1").hasPrefix("(NOPERM "))
            for connection in [client, desk, reader] { await connection.close() }
        }
    }
}
