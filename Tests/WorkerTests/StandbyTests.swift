import Observability
import Testing
import Verification

extension WorkerRegion {
    fileprivate func untilHolding(_ worker: WorkerProcess) async throws {
        try await until("\(worker.name) holds the lease") { await worker.state(of: "lease")?.name == "holding" }
    }
}

@Suite("Two workers of one region, as processes", .serialized)
struct StandbyTests {
    @Test("one works, the other says that it stands by; the first one killed or stopped, the other takes over")
    func takesOver() async throws {
        try await WorkerRegion.with { region in
            try await region.withWorkers { first, second in
                try await region.flows("first")
                var seen: WorkerStatus?
                try await region.until("the second waits for the lease alone") {
                    seen = await second.status()
                    return seen?.waitingFor == ["lease: standby"]
                }
                let status = try #require(seen)
                #expect(!status.ready)
                #expect(status.components.map(\.component) == ["lease", "redis", "worker"])
                #expect(status.links.isEmpty && status.capture == nil)
                first.kill()
                try await region.flows("second")
                try await region.untilHolding(second)
            }
            try await region.withWorkers { first, second in
                try await first.stop()
                try await region.flows("fourth")
                try await region.untilHolding(second)
                // While it works: what the cache has the peer may not have yet.
                try await region.expectInStep()
            }
        }
    }

    @Test("paused under load it is replaced; woken it harms nothing, warns, and stands by")
    func paused() async throws {
        try await WorkerRegion.with { region in
            try await region.withWorkers { first, second in
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { try await region.load() }
                    for turn in 0..<3 {
                        try await region.flows("before \(turn)")
                        let (holder, other) = try await region.roles(first, second)
                        holder.pause()
                        try await region.untilHolding(other)
                        try await region.flows("during \(turn)")
                        try await Task.sleep(for: .seconds(1))
                        holder.resume()
                        try await region.until("\(holder.name) stands by") {
                            await holder.state(of: "lease")?.name == "standby"
                        }
                        try await region.until("\(holder.name) has ended its work") {
                            await holder.status()?.components.map(\.component) == ["lease", "redis", "worker"]
                        }
                        try await region.until("\(holder.name) warns") {
                            holder.lines.contains { $0.contains("level=warning") && $0.contains("state=standby") }
                        }
                        try await region.untilHolding(other)
                    }
                    tasks.cancelAll()
                    try await tasks.waitForAll()
                }
                try await region.expectInStep()
            }
        }
    }
}
