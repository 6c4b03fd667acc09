import Observability
import Testing

@testable import ConfigListener

@Suite("How fresh reads are")
struct FreshnessTests {
    private let states = ComponentStates()

    private func seconds(_ count: Int64) -> Timestamp { Timestamp(nanoseconds: count * 1_000_000_000) }

    private func set(_ component: String, _ name: String, _ health: ComponentHealth = .working) {
        states.set(component, ComponentState(name, health, reason: "10.0.0.7:5432 refuses"))
    }

    private func allIsWell(capture: String = "streaming") {
        set(TrackedCache.component, "tracking")
        set("projection provisioning", "projecting")
        set("capture", capture, capture == "standby" ? .waiting : .working)
        set("mirror us-east", "streaming")
    }

    @Test("is counted from when all was well last")
    func behind() {
        let freshness = Freshness(region: "eu-west", states: states)
        let unknown = freshness.now(isProjected: true, at: seconds(100))
        #expect(unknown.state == "unknown" && unknown.postgres == "unknown")
        #expect(unknown.secondsBehind == nil && unknown.staleSince == nil)
        allIsWell()
        let fresh = freshness.now(isProjected: true, at: seconds(110))
        #expect(fresh.state == "fresh" && fresh.postgres == "reachable" && fresh.reason == nil)
        #expect(fresh.secondsBehind == 0 && fresh.staleSince == nil && fresh.region == "eu-west")
        set("capture", "waiting", .waiting)
        set("capture", "looking", .waiting)
        set("capture", "waiting", .waiting)
        let stale = freshness.now(isProjected: true, at: seconds(117))
        #expect(stale.state == "waiting" && stale.postgres == "unreachable")
        #expect(stale.reason == "changes in PostgreSQL are not captured")
        #expect(stale.secondsBehind == 7 && stale.staleSince == seconds(110))
        #expect(freshness.now(isProjected: false, at: seconds(117)).secondsBehind == nil)
        // The host's clock was put back.
        #expect(freshness.now(isProjected: true, at: seconds(90)).secondsBehind == 0)
        allIsWell()
        #expect(freshness.now(isProjected: true, at: seconds(91)).secondsBehind == 0)
    }

    @Test("depends on each of the components", arguments: [TrackedCache.component, "projection provisioning"])
    func components(component: String) {
        allIsWell()
        let freshness = Freshness(region: "eu-west", states: states)
        set(component, "away", .degraded)
        #expect(freshness.now(isProjected: true).state == "away")
    }

    @Test("depends on links where another region captures", arguments: ["standby", "other-region"])
    func links(capture: String) {
        allIsWell(capture: capture)
        let freshness = Freshness(region: "eu-west", states: states)
        #expect(freshness.now(isProjected: true).state == "fresh")
        set("mirror us-east journals", "stopped", .stopped)
        #expect(freshness.now(isProjected: true).state == "fresh")
        set("mirror us-east", "down", .waiting)
        #expect(freshness.now(isProjected: true).state == "down")
        #expect(freshness.now(isProjected: true).postgres == "reachable")
        set("capture", "streaming")
        #expect(freshness.now(isProjected: true).state == "fresh")
    }
}
