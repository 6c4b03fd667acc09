import CrashPoints
import Journal
import RESP
import RedisClient
import Testing

@Suite("A region that lacks what was trimmed", .serialized)
struct RestatingTests {
    private static let asked = "Asked a region to restate its live calls and agents"

    private func flush(_ region: Int, of regions: RestatingRegions) async throws {
        _ = try await regions.clients[region].send(RedisCommand("FLUSHALL"))
    }

    @Test("is restated what lives while events go on, and is not ready before")
    func flushed() async throws {
        try await RestatingRegions.with(2) { regions in
            let owner = try regions.startWorker(of: 0, among: 2)
            let other = try regions.startWorker(of: 1, among: 2)
            defer { for worker in [owner, other] { worker.kill() } }
            try await regions.begin(300, in: 0, tenant: "7")
            try await regions.begin(20, in: 0, tenant: "8")
            try await regions.untilEqual([0, 1])
            try await regions.untilTrimmed(0)
            try await regions.until("both serve calls") {
                for worker in [owner, other] where await regions.awaitsVoice(worker) != false { return false }
                return true
            }
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await regions.load(in: 0, tenant: "7", calls: 300) }
                let lines = other.lines.count
                try await flush(1, of: regions)
                // That it is not ready may be over before it is looked at.
                try await regions.until("it notices") {
                    if other.lines.dropFirst(lines).contains(where: { $0.contains(Self.asked) }) { return true }
                    return await regions.awaitsVoice(other) == true
                }
                try await regions.until("it is ready") { await regions.awaitsVoice(other) == false }
                // Nothing changes in this tenant: who is ready has it.
                let active = try await regions.clients[1].send(RedisCommand("SCARD", "calls:{8}:active"))
                #expect(active.integer == 20)
                tasks.cancelAll()
                try await tasks.waitForAll()
            }
            try await regions.untilEqual([0, 1])
            let state = try await regions.state(of: 1)
            #expect(state["active 8"]?.count == 20 && (state["active 7"]?.count ?? 0) >= 300)
            #expect(state.keys.count { $0.hasPrefix("agent:") } == 32)
            // It was answered, and is not again.
            try await regions.until("nothing is asked") {
                try await regions.clients[0].send(
                    RedisCommand("HEXISTS", "rs:{_}:projection", "asked:eu-west")
                ).integer == 0
            }
            // More than once only if it took so long that it was asked again.
            let restated = owner.lines.count { $0.contains("Live calls and agents were restated") }
            let requests = other.lines.count { $0.contains(Self.asked) }
            #expect(restated >= 2 && restated <= 2 * requests)
        }
    }

    @Test(
        "is not ready while the owner is dead in the middle of it, and gets all from the next worker",
        arguments: CrashScene.restating.points)
    func ownerKilled(point: CrashPoint) async throws {
        try await RestatingRegions.with(2) { regions in
            let step = "\(point.rawValue):\(point == .restateTold ? 2 : 1)"
            let dying = try regions.startWorker(of: 0, among: 2, crashAt: step)
            let other = try regions.startWorker(of: 1, among: 2)
            defer { for worker in [dying, other] { worker.kill() } }
            try await regions.begin(500, in: 0, tenant: "7")
            try await regions.begin(20, in: 0, tenant: "8")
            try await regions.untilEqual([0, 1])
            try await regions.untilTrimmed(0)
            try await flush(1, of: regions)
            try await regions.until("the owner dies") { dying.wasKilled != nil }
            #expect(dying.wasKilled == true)
            for _ in 0..<50 {
                #expect(await regions.awaitsVoice(other) != false)
                try await Task.sleep(for: .milliseconds(20))
            }
            let next = try regions.startWorker(of: 0, among: 2)
            defer { next.kill() }
            try await regions.until("it is ready") { await regions.awaitsVoice(other) == false }
            try await regions.untilEqual([0, 1])
            #expect(try await regions.state(of: 1)["active 7"]?.count == 500)
        }
    }

    @Test("is restated by every region when it joins; an agent who moved is where the later login was")
    func joins() async throws {
        try await RestatingRegions.with(3) { regions in
            var workers = [0, 1].compactMap { try? regions.startWorker(of: $0, among: 2) }
            defer { for worker in workers { worker.kill() } }
            for region in [0, 1] {
                try await regions.begin(40, in: region, tenant: "7")
                try await regions.begin(10, in: region, tenant: "8")
            }
            for region in [0, 1] {
                try await regions.write([("AgentLogin", "mover", "\(region)")], in: region, tenant: "7")
                try await Task.sleep(for: .milliseconds(5))  // IDs of two servers tell milliseconds apart
            }
            try await regions.write([("AgentLogin", "mover", "0")], in: 0, tenant: "8")
            try await regions.untilEqual([0, 1])
            for region in [0, 1] { try await regions.untilTrimmed(region) }
            for worker in workers { try await worker.stop() }
            workers = try [0, 1, 2].map { try regions.startWorker(of: $0, among: 3) }
            let joined = workers[2]
            try await regions.until("it is ready") { await regions.awaitsVoice(joined) == false }
            try await regions.untilEqual([0, 1, 2])
            let state = try await regions.state(of: 2)
            #expect(state["active 7"]?.count == 80 && state["active 8"]?.count == 20)
            #expect(state["agent:{7}:mover"]?["region"] == "eu-west")
        }
    }
}
