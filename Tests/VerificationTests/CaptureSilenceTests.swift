import NIOPosix
import RESP
import RedisClient
import ServerFixtures
import Testing

/// What a client of a region's provisioning port is told.
struct ConfigPort {
    let port: Int

    func ask(_ words: [String]) async throws -> RedisReply {
        let client = try await RedisConnection.connect(
            to: RedisEndpoint(host: "127.0.0.1", port: port, connectTimeout: .seconds(30)), name: "test",
            on: MultiThreadedEventLoopGroup.singleton.any())
        let results = await client.pipeline([RedisCommand(words: words, runs: [])])
        await client.close()
        return try #require(results.first).get()
    }

    func state() async throws -> [String: RedisReply] {
        let words = Array(try await ask(["CFG.STATE"]).elements)
        return Dictionary(
            uniqueKeysWithValues: stride(from: 0, to: words.count - 1, by: 2).map { place in
                (words[place].string ?? "", words[place + 1])
            })
    }

    /// Waits until `CFG.STATE` says so, and gives all that it says then; the port may not be open yet.
    @discardableResult
    func becomes(_ state: String, _ live: LiveRegions) async throws -> [String: RedisReply] {
        var said: [String: RedisReply] = [:]
        try await live.eventually("reads are \(state)") {
            said = (try? await self.state()) ?? [:]
            return said["state"]?.string == state
        }
        return said
    }
}

@Suite("Reads in a region that does not capture, on real servers", .serialized)
struct CaptureSilenceTests {
    @Test("are fresh while the region that captures is heard; its worker gone and its Redis not, stale since then")
    func silence() async throws {
        let west = ConfigPort(port: try freePort())
        let listener = "listeners: {config: {port: \(west.port)}}"
        try await LiveRegions.run(verification: "{delay: 0s, interval: 10s}", further: ["west": listener]) { live in
            try await live.whileRunning([1]) { _ in
                try await live.whileRunning([0]) { _ in
                    try await live.caughtUp()
                    // Nothing changes, and it is so all the same: there is somebody who says that nothing does.
                    let fresh = try await west.becomes("fresh", live)
                    #expect(fresh["secondsBehind"]?.integer == 0 && fresh["staleSince"]?.isNull == true)
                }
                try await live.redis(0, ["PING"])
                let silent = try await west.becomes("silent", live)
                try await live.eventually("PostgreSQL is reachable") {
                    try await west.state()["postgres"]?.string == "reachable"
                }
                #expect(silent["reason"]?.string == "region east, which captures, was not heard lately")
                let since = try #require(silent["staleSince"]?.integer)
                let behind = try #require(silent["secondsBehind"]?.integer)
                #expect(behind >= 5)
                // What is committed meanwhile is not there, and that is what it said.
                try await live.sql("UPDATE thing SET name = 'late' WHERE id = 2")
                let later = try await west.state()
                #expect(later["state"]?.string == "silent" && later["staleSince"]?.integer == since)
                try await live.whileRunning([0]) { _ in
                    try await live.caughtUp()
                    try await west.becomes("fresh", live)
                }
            }
        }
    }
}
