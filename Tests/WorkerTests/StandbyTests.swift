import Observability
import Testing
import Verification

@Suite("Two workers of one region, as processes", .serialized)
struct StandbyTests {
    @Test("one works, the other says that it stands by; the first one killed or stopped, the other takes over")
    func takesOver() async throws {
        try await WorkerRegion.with { region in
            try await region.withWorkers { first, second in
                try await region.flows("first")
                try await region.until("the second waits for the lease alone") {
                    await second.status()?.waitingFor == ["lease: standby"]
                }
                let status = try #require(await second.status())
                #expect(!status.ready)
                #expect(status.components.map(\.component) == ["lease", "redis", "worker"])
                #expect(status.links.isEmpty && status.capture == nil)
                first.kill()
                try await region.flows("second")
                #expect(await second.state(of: "lease")?.name == "holding")
            }
            try await region.withWorkers { first, second in
                try await first.stop()
                try await region.flows("fourth")
                #expect(await second.state(of: "lease")?.name == "holding")
            }
            try await region.expectInStep()
        }
    }

    @Test("paused under load it is replaced; woken it harms nothing, warns, and stands by")
    func paused() async throws {
        try await WorkerRegion.with { region in
            try await region.withWorkers { first, second in
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { try await region.load() }
                    for (turn, (holder, other)) in [(first, second), (second, first), (first, second)].enumerated() {
                        try await region.flows("before \(turn)")
                        holder.pause()
                        try await region.until("\(other.name) takes over") {
                            await other.state(of: "lease")?.name == "holding"
                        }
                        try await region.flows("during \(turn)")
                        try await Task.sleep(for: .seconds(1))
                        holder.resume()
                        try await region.until("\(holder.name) stands by") {
                            await holder.state(of: "lease")?.name == "standby"
                        }
                        try await region.until("\(holder.name) has ended its work") {
                            await holder.status()?.components.map(\.component) == ["lease", "redis", "worker"]
                        }
                        #expect(holder.lines.contains { $0.contains("level=warning") && $0.contains("state=standby") })
                        #expect(await other.state(of: "lease")?.name == "holding")
                    }
                    tasks.cancelAll()
                    try await tasks.waitForAll()
                }
                try await region.expectInStep()
            }
        }
    }
}
