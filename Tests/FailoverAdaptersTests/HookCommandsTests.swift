import Failover
import Foundation
import RegionConfig
import Testing

@testable import FailoverAdapters

@Suite("Commands of the region file")
struct HookCommandsTests {
    private func hooks(_ words: [String], timeout: String = "60s") throws -> HookCommands {
        let fence = String(decoding: try JSONEncoder().encode(words), as: UTF8.self)
        let region = try RegionFile.parse(
            """
            region: eu-west
            redis: {host: 127.0.0.1}
            postgres: {host: 127.0.0.1, database: d, user: u}
            failover: {\(words.isEmpty ? "" : "fence: \(fence), ")hookTimeout: \(timeout)}
            catalog: [{table: public.thing, type: thing, key: [id], tenant: tenant}]
            """, file: "eu-west.yaml", surroundings: .init(environment: [:]) { _ in "" })
        return HookCommands(region: region.name, failover: region.failover)
    }

    @Test("a command that ends well has succeeded; none is absent")
    func succeeds() async throws {
        #expect(try await hooks(["true"]).fence("us-east") == .succeeded)
        #expect(try await hooks(["/bin/sh", "-c", "exit 0"]).fence("us-east") == .succeeded)
        #expect(try await hooks([]).fence("us-east") == .absent)
        #expect(try await hooks(["true"]).promote("us-east") == .absent)
    }

    @Test("it learns which regions it is about")
    func environment() async throws {
        let test = #"[ "$FAILOVER_REGION" = eu-west ] && [ "$FAILOVER_DOWN_REGION" = us-east ]"#
        #expect(try await hooks(["sh", "-c", test]).fence("us-east") == .succeeded)
    }

    @Test("one that fails, is killed, cannot be run or does not end: its reason says so")
    func fails() async throws {
        func reason(_ hooks: HookCommands) async -> String? {
            do throws(FailoverFailure) { _ = try await hooks.fence("us-east") } catch {
                if case .failed(let reason) = error { return reason }
            }
            return nil
        }
        #expect(await reason(try hooks(["sh", "-c", "exit 7"])) == "failover.fence ended with status 7")
        #expect(await reason(try hooks(["sh", "-c", "kill -KILL $$"])) == "failover.fence was ended by signal 9")
        #expect(await reason(try hooks(["no-such-program-anywhere"])) == "failover.fence ended with status 127")
        #expect(await reason(try hooks(["/no/such/program"]))?.contains("cannot be run") == true)
        let late = await reason(try hooks(["sleep", "600"], timeout: "1s"))
        #expect(late?.contains("did not end within") == true)
    }
}
