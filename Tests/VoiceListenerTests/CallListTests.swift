import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import VoiceListener

@Suite("Lists of calls") struct CallListTests {
    @Test("those of a DN among thousands are looked for in few commands")
    func many() async throws {
        try await WritingPort.with { port in
            let count = 2 * VoiceStates.callsPerLook + 1
            // Every thousandth is one of 1002; one record is gone, and one is no record.
            let script = """
                for i = 1, tonumber(ARGV[1]) do
                    local call = string.format('c%06d', i)
                    redis.call('SADD', 'calls:{101}:active', call)
                    local other = (i - 1) % \(VoiceStates.callsPerLook) == 0 and '1002' or '1003'
                    redis.call('HSET', 'call:{101}:' .. call, 'ConnID', call, 'party:1001', '1', 'party:' .. other, '1')
                end
                redis.call('DEL', 'call:{101}:c000002')
                redis.call('SET', 'call:{101}:c000003', 'x')
                """
            _ = try await port.server.send(RedisCommand("EVAL", script, "0", "\(count)"))
            _ = try await port.server.send(RedisCommand("CONFIG", "RESETSTAT"))
            let client = try await port.client()
            func calls(_ words: String...) async throws -> [String] {
                let answer = try await client.send(RedisCommand(words: ["CALL.LIST", "101"] + words, runs: []))
                return answer.elements.compactMap(\.string)
            }
            #expect(try await calls("DN", "1002") == ["c000001", "c001001", "c002001"])
            let statistics = try await port.server.send(RedisCommand("INFO", "commandstats")).string ?? ""
            #expect(statistics.contains("cmdstat_eval:calls=3,"), "\(statistics)")
            #expect(try await calls("DN", "1001").count == count - 2)
            #expect(try await calls("DN", "1004").isEmpty)
            #expect(try await calls().count == count)
            await client.close()
        }
    }
}
