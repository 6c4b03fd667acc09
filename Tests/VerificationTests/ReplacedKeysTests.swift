import Observability
import RedisClient
import Testing
import Verification
import Worker

@Suite("Keys of a cache that somebody made something else, on real servers", .serialized)
struct ReplacedKeysTests {
    private static let digests = "rs:{101}:digest:thing"

    @Test(
        "are replaced when a row changes, and a pass makes the cache what a fresh one would be",
        arguments: [
            ["cfg:{101}:thing"], ["cfg:{101}:thing:by:name"], ["cfg:{101}:thing:2002"],
            ["cfg:{101}:thing:by:city:city0"], [digests],
            ["cfg:{101}:thing", "cfg:{101}:thing:by:name", "cfg:{101}:thing:2002", "cfg:{101}:thing:2004", digests],
        ])
    func replaced(keys: [String]) async throws {
        try await LiveRegions.run(verification: "{delay: 0s, interval: 1h}") { live in
            try await live.whileRunning { workers in
                try await live.caughtUp()
                try await live.eventually("the first pass is over") {
                    workers[1].states.state(of: "verification")?.name == "equal"
                }
                for key in keys { try await live.redis(1, ["SET", key, "oops"]) }
                // What else the object was indexed by is not known any more.
                try await live.sql("UPDATE thing SET name = 'renamed', city = 'elsewhere' WHERE id = 2002")
                try await live.eventually("it is counted") {
                    workers[1].metrics.counter(.projectionReplaced).value > 0
                }
                try await live.eventually("all is written anew") {
                    let marks = try await live.redis(
                        1, ["HEXISTS", Self.digests, "rebuild"], ["HEXISTS", "rs:{_}:projection", "stale"])
                    return marks.allSatisfy { $0.integer == 0 }
                }
                try await live.eventually("it says so") {
                    workers[1].states.state(of: "projection provisioning")?.name == "projecting"
                }
                let report = try await live.verify(wait: .seconds(60))
                #expect(report.ok, "\(keys): \(report.text)")
            }
        }
    }

    @Test("are found and replaced by a pass though no row changes")
    func untouched() async throws {
        try await LiveRegions.run(verification: "{delay: 0s, interval: 10s}") { live in
            try await live.whileRunning { workers in
                try await live.caughtUp()
                for key in ["cfg:{102}:thing", "cfg:{102}:thing:by:name", "rs:{102}:digest:thing"] {
                    try await live.redis(1, ["SET", key, "oops"])
                }
                try await live.eventually("they are counted") {
                    workers[1].metrics.counter(.projectionReplaced).value >= 3
                }
                try await live.eventually("all is written anew") {
                    try await live.redis(1, ["HEXISTS", "rs:{102}:digest:thing", "rebuild"])[0].integer == 0
                }
                let report = try await live.verify(wait: .seconds(60))
                #expect(report.ok, "\(report.text)")
            }
        }
    }
}
