import Preflight
import Testing

@Suite("Checking what running workers use", .timeLimit(.minutes(10)))
struct CheckWhileRunningTests {
    @Test("the slot from which capture streams is in order")
    func slot() async throws {
        try await LiveRegions.run { live in
            try await live.whileRunning { _ in
                try await live.caughtUp()
                try await live.eventually("capture streams") {
                    let section = await RegionCheck(live.regions[0], file: "east.yaml").run()
                    return section.findings.contains {
                        $0.subject == "slot" && $0.severity == .ok && $0.statement.hasPrefix("regionsync streams, ")
                    }
                }
            }
        }
    }
}
