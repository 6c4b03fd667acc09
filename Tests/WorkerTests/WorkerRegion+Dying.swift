import CrashPoints
import Journal
import RESP
import RedisClient
import Synchronization
import Testing

/// IDs of events that Redis has acknowledged, in order.
final class Ledger: Sendable {
    private let ids = Mutex<[String]>([])

    var all: [String] { ids.withLock { $0 } }

    func add(_ more: [String]) { ids.withLock { $0 += more } }
}

// Workers that are killed at a step, and the next ones.
extension WorkerRegion {
    /// The same, with workers that have these variables, too.
    func with(_ more: [String: String]) -> WorkerRegion {
        var region = self
        region.environment.merge(more) { $1 }
        return region
    }

    /// Starts a worker and waits until it has died at the step.
    func dies(at point: CrashPoint, times: Int = 1) async throws {
        var environment = environment
        environment[CrashPoint.variable] = "\(point.rawValue):\(times)"
        environment["REGIONSYNC_POSTGRES_USER"] = "postgres"  // may make a publication
        let worker = try WorkerProcess("dying", region: Self.file, environment: environment, folder: folder)
        defer { worker.kill() }
        try await until("it passes \(point.rawValue) for time \(times)") { worker.wasKilled != nil }
        #expect(worker.wasKilled == true, "\(point.rawValue): \(worker.lines.suffix(3))")
    }

    /// Runs `body` while a worker does.
    func whileWorking(_ body: () async throws -> Void) async throws {
        var environment = environment
        environment["REGIONSYNC_POSTGRES_USER"] = "postgres"
        let worker = try WorkerProcess("working", region: Self.file, environment: environment, folder: folder)
        defer { worker.kill() }
        try await body()
        try await worker.stop()
    }

    /// Writes events of calls; gives their IDs.
    func writeVoice(_ count: Int, label: String) async throws -> [String] {
        var ids: [String] = []
        for start in stride(from: 0, to: count, by: 500) {
            let commands = (start..<min(start + 500, count)).map { number in
                let call = "\(label)-\(number / 2)"
                return RedisCommand(
                    "XADD", Self.voice.key, "*", "event", number % 2 == 0 ? "EventRinging" : "EventReleased", "key",
                    call, "data", #"{"ThisDN":"1","ConnID":"\#(call)","CallType":2}"#)
            }
            for result in await east.pipeline(commands) { ids.append(try result.get().string ?? "") }
        }
        return ids
    }

    /// Every event that was acknowledged is in the peer's copy, once, in the order in which it was written.
    func expectCopied(_ ledger: [String], atLeast least: Int = 1) async throws {
        #expect(ledger.count >= least)
        try await expect(ledger, on: west)
    }

    /// The voice journal on this server has these entries, once, in this order, whatever else it has.
    func expect(_ ledger: [String], on client: RedisConnection) async throws {
        let written = Set(ledger)
        let found = try await client.send(RedisCommand("XRANGE", Self.voice.key, "-", "+")).elements
            .compactMap { $0[0]?.string }
        #expect(found.filter { written.contains($0) } == ledger)
    }
}
