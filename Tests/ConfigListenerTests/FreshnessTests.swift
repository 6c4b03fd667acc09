import Journal
import Observability
import Testing

@testable import ConfigListener
@testable import Projection

@Suite("How fresh reads are")
struct FreshnessTests {
    private let states = ComponentStates()
    private let progress = ProvisioningProgress()
    private let start = ContinuousClock.now

    private var freshness: Freshness { Freshness(region: "eu-west", states: states, progress: progress) }

    private func moment(_ second: Int64) -> Moment {
        Moment(instant: start + .seconds(second), time: seconds(second))
    }

    private func seconds(_ count: Int64) -> Timestamp { Timestamp(nanoseconds: count * 1_000_000_000) }

    private func set(_ component: String, _ name: String, _ health: ComponentHealth = .working) {
        states.set(component, ComponentState(name, health, reason: "10.0.0.7:5432 refuses"))
    }

    private func allIsWell(capture: String = "streaming") {
        set(TrackedCache.component, "tracking")
        set("projection provisioning", "projecting")
        progress.captured(upTo: .zero)
        set("capture", capture, capture == "standby" ? .waiting : .working)
        set("mirror us-east", "streaming")
    }

    @Test("is counted from when all was well last")
    func behind() {
        let freshness = freshness
        let unknown = freshness.now(isProjected: true, at: moment(100))
        #expect(unknown.state == "unknown" && unknown.postgres == "unknown")
        #expect(unknown.secondsBehind == nil && unknown.staleSince == nil)
        allIsWell()
        let fresh = freshness.now(isProjected: true, at: moment(110))
        #expect(fresh.state == "fresh" && fresh.postgres == "reachable" && fresh.reason == nil)
        #expect(fresh.secondsBehind == 0 && fresh.staleSince == nil && fresh.region == "eu-west")
        set("capture", "waiting", .waiting)
        set("capture", "looking", .waiting)
        set("capture", "waiting", .waiting)
        let stale = freshness.now(isProjected: true, at: moment(117))
        #expect(stale.state == "waiting" && stale.postgres == "unreachable")
        #expect(stale.reason == "changes in PostgreSQL are not captured")
        #expect(stale.secondsBehind == 7 && stale.staleSince == seconds(110))
        #expect(freshness.now(isProjected: false, at: moment(117)).secondsBehind == nil)
        // The host's clock was put back.
        let putBack = freshness.now(isProjected: true, at: Moment(instant: moment(118).instant, time: seconds(90)))
        #expect(putBack.secondsBehind == 8 && putBack.staleSince == seconds(110))
        allIsWell()
        #expect(freshness.now(isProjected: true, at: moment(119)).secondsBehind == 0)
    }

    @Test(
        "tells of PostgreSQL when writes would fail though it is reached", arguments: ["in-recovery", "former-primary"])
    func readOnly(capture: String) {
        allIsWell(capture: capture)
        #expect(freshness.now(isProjected: true).postgres == "read-only")
    }

    @Test("depends on each of the components", arguments: [TrackedCache.component, "projection provisioning"])
    func components(component: String) {
        allIsWell()
        let freshness = freshness
        set(component, "away", .degraded)
        #expect(freshness.now(isProjected: true).state == "away")
    }

    @Test("depends on whether the projection comes after what this region captures")
    func captureIsAhead() {
        allIsWell()
        let freshness = freshness
        let (first, last) = (Position(number: 1 << 52 | 100), Position(number: 1 << 52 | 900))
        progress.captured(upTo: first)
        let begun = freshness.now(isProjected: true, at: moment(0))
        #expect(begun.state == "behind" && begun.secondsBehind == nil && begun.staleSince == nil)
        progress.reached(first)
        #expect(freshness.now(isProjected: true, at: moment(1)).state == "fresh")
        // A bulk load.
        progress.captured(upTo: last)
        let loading = freshness.now(isProjected: true, at: moment(6))
        #expect(loading.state == "fresh" && loading.secondsBehind == 0)
        let behind = freshness.now(isProjected: true, at: moment(7))
        #expect(behind.state == "behind" && behind.postgres == "reachable")
        #expect(behind.secondsBehind == 6 && behind.staleSince == seconds(1))
        progress.reached(last)
        let fresh = freshness.now(isProjected: true, at: moment(8))
        #expect(fresh.state == "fresh" && fresh.secondsBehind == 0 && fresh.staleSince == nil)
        // The local server lost what came last.
        progress.reached(first)
        #expect(freshness.now(isProjected: true, at: moment(9)).state == "behind")
    }

    @Test(
        "depends on what is heard of the region that captures, and on no link", arguments: ["standby", "other-region"])
    func elsewhere(capture: String) {
        allIsWell(capture: capture)
        set("mirror us-east", "connecting", .waiting)
        let freshness = freshness
        let position = Position(number: 1 << 52 | 100)
        progress.reached(position)
        let unheard = freshness.now(isProjected: true, at: moment(1))
        #expect(unheard.state == "unheard" && unheard.secondsBehind == nil && unheard.staleSince == nil)
        progress.said(by: "us-east", captured: position, at: moment(2))
        let fresh = freshness.now(isProjected: true, at: moment(4))
        #expect(fresh.state == "fresh" && fresh.secondsBehind == 0 && fresh.staleSince == nil)
        let silent = freshness.now(isProjected: true, at: moment(62))
        #expect(silent.state == "silent" && silent.postgres == "reachable")
        #expect(silent.reason == "region us-east, which captures, was not heard lately")
        #expect(silent.secondsBehind == 60 && silent.staleSince == seconds(2))
        progress.said(by: "us-east", captured: nil, at: moment(63))
        let idle = freshness.now(isProjected: true, at: moment(63))
        #expect(idle.state == "idle" && idle.secondsBehind == 61 && idle.staleSince == seconds(2))
        let next = Position(number: 1 << 52 | 120)
        progress.said(by: "us-east", captured: next, at: moment(64))
        let behind = freshness.now(isProjected: true, at: moment(64))
        #expect(behind.state == "behind" && behind.secondsBehind == 62)
        progress.reached(next)
        #expect(freshness.now(isProjected: true, at: moment(64)).state == "fresh")
        set("capture", "streaming")
        #expect(freshness.now(isProjected: true, at: moment(99)).state == "fresh")
    }
}
