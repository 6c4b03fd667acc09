import RedisClient
import ServerFixtures
import Testing

@Suite("What clients are told of repairs, on real servers", .serialized)
struct RepairedWatchesTests {
    @Test("who goes on from before an object was put right has to list again, and who goes on from there has not")
    func repaired() async throws {
        let west = ConfigPort(port: try freePort())
        let listener = "listeners: {config: {port: \(west.port)}}"
        try await LiveRegions.run(verification: "{delay: 0s, interval: 10s}", further: ["west": listener]) { live in
            try await live.whileRunning { _ in
                try await live.caughtUp()
                try await live.eventually("the port is open") {
                    (try? await west.ask(["CFG.TYPES", "101"]))?.count == 2
                }
                let before = try #require(try await west.state()["position"]?.string)
                try await live.sql("UPDATE thing SET city = 'elsewhere' WHERE id = 2000")
                try await live.caughtUp()
                // What journals tell is no repair.
                let history = ["CFG.HISTORY", "101", "TYPE", "thing", "COUNT", "1", "FROM"]
                try await live.eventually("the change is told of") {
                    try await west.ask(history + [before])[3]?.count == 1
                }
                try await live.redis(1, ["HSET", "cfg:{101}:thing:2000", "city", "tampered", "_d", "5"])
                try await live.tamperBucket(of: "2000", tenant: "101", type: "thing", region: 1)
                try await live.eventually("who was told before has to list again") {
                    do {
                        _ = try await west.ask(history + [before])
                        return false
                    } catch RedisError.server("STALE", _) {
                        return true
                    }
                }
                let city = try await live.redis(1, ["HGET", "cfg:{101}:thing:2000", "city"])
                #expect(city[0].string == "elsewhere")
                let now = try #require(try await west.state()["position"]?.string)
                let nothing = try await west.ask(history + [now])
                #expect(nothing[3]?.count == 0)
            }
        }
    }
}
