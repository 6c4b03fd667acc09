import CrashPoints
import Foundation
import Journal
import Provisioning
import RESP
import RedisClient
import Synchronization
import Testing
import Traffic

/// Kills a worker at each step between input and output, under load, and compares what is left with what was produced.
@Suite("A worker killed at each of its steps", .serialized)
struct CrashPointTests {
    /// Steps of a first start; each begins with nothing.
    private static let ofFirstStart: [CrashPoint] = [
        .leaseTaken, .captureNoted, .historyBegun, .publicationCreated, .snapshotAnnounced, .slotCreated,
        .snapshotCopied, .snapshotEnded,
    ]
    /// Steps that have something to do only when an object of the cache is wrong.
    private static let ofRepair: [CrashPoint] = [.repairWatched, .repairMended]

    /// Steps of a worker that another region asks to restate.
    private static let ofRestating: [CrashPoint] = [.restateTold, .restateEnded]

    /// Steps that a worker takes a few times at its start, or now and then.
    private static let rare: [CrashPoint] = [.mirrorAligned, .captureConfirmed, .trimmed]

    @Test("in its first start: the next one brings everything, once")
    func firstStart() async throws {
        try await WorkerRegion.with { region in
            for (number, point) in Self.ofFirstStart.enumerated() {
                try await region.forgetEverything()
                try await region.sql("INSERT INTO provisioning.skill (tenant_dbid, name) VALUES (101, 'of \(number)')")
                try await region.dies(at: point)
                try await region.whileWorking {
                    try await region.flows("after \(point.rawValue)")
                    try await region.expectInStep()
                }
            }
        }
    }

    @Test("under load, early and late: nothing is lost, nothing comes twice, order is kept", arguments: [1, 2])
    func underLoad(seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        let others = Self.ofFirstStart + Self.ofRepair + Self.ofRestating
        var points = CrashPoint.allCases.filter { !others.contains($0) }
        points.shuffle(using: &random)
        let ledger = Ledger()
        try await WorkerRegion.with { region in
            // Journals are trimmed as soon as the peer has them; the peer has no worker and keeps all.
            let region = region.with(["REGIONSYNC_RETENTION_MINIMUM": "1s"])
            try await region.whileWorking { try await region.flows("before") }
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    try await region.load { ledger.add($0) }
                }
                for point in points {
                    let times = Self.rare.contains(point) ? 1 : Int.random(in: 1...8, using: &random)
                    try await region.dies(at: point, times: times)
                }
                tasks.cancelAll()
                try await tasks.waitForAll()
            }
            try await region.whileWorking {
                try await region.flows("behind")
                try await region.expectCopied(ledger.all)
                try await region.expectInStep(trimmed: true)
            }
        }
    }

    @Test("while it puts its cache right: the next one does")
    func repair() async throws {
        try await WorkerRegion.with { region in
            let region = region.with([
                "REGIONSYNC_VERIFICATION_DELAY": "0s", "REGIONSYNC_VERIFICATION_INTERVAL": "10s",
            ])
            try await region.whileWorking { try await region.flows("right") }
            let id = try #require(
                try await region.east.send(RedisCommand("HGET", "cfg:{101}:skill:by:name", "right")).string)
            for point in Self.ofRepair {
                let bucket = Bucket.index(ofKey: id.utf8)
                _ = try await region.east.send(
                    RedisCommand("HSET", "cfg:{101}:skill:\(id)", "name", "wrong", "_d", "5"))
                _ = try await region.east.send(
                    RedisCommand("HINCRBY", "rs:{101}:digest:skill", "\(bucket):d", "1"))
                try await region.dies(at: point)
            }
            try await region.whileWorking {
                try await region.until("it is right again") {
                    let name = try await region.east.send(RedisCommand("HGET", "cfg:{101}:skill:\(id)", "name"))
                    return name.string == "right"
                }
                try await region.expectInStep()
            }
        }
    }
}

/// IDs of events that Redis has acknowledged, in order.
private final class Ledger: Sendable {
    private let ids = Mutex<[String]>([])

    var all: [String] { ids.withLock { $0 } }

    func add(_ more: [String]) { ids.withLock { $0 += more } }
}

extension WorkerRegion {
    /// The same, with workers that have these variables, too.
    fileprivate func with(_ more: [String: String]) -> WorkerRegion {
        var region = self
        region.environment.merge(more) { $1 }
        return region
    }

    /// PostgreSQL and both Redis are as if no worker had ever run; publications are a worker's to make.
    fileprivate func forgetEverything() async throws {
        for statement in [
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots", "DELETE FROM regionsync.history",
            "DROP PUBLICATION IF EXISTS regionsync",
        ] { try await sql(statement) }
        for client in [east, west] { _ = try await client.send(RedisCommand("FLUSHALL")) }
    }

    /// Starts a worker and waits until it has died at the step.
    fileprivate func dies(at point: CrashPoint, times: Int = 1) async throws {
        var environment = environment
        environment[CrashPoint.variable] = "\(point.rawValue):\(times)"
        environment["REGIONSYNC_POSTGRES_USER"] = "postgres"  // may make a publication
        let worker = try WorkerProcess("dying", region: Self.file, environment: environment, folder: folder)
        defer { worker.kill() }
        try await until("it passes \(point.rawValue) for time \(times)") { worker.wasKilled != nil }
        #expect(worker.wasKilled == true, "\(point.rawValue): \(worker.lines.suffix(3))")
    }

    fileprivate func whileWorking(_ body: () async throws -> Void) async throws {
        var environment = environment
        environment["REGIONSYNC_POSTGRES_USER"] = "postgres"
        let worker = try WorkerProcess("working", region: Self.file, environment: environment, folder: folder)
        defer { worker.kill() }
        try await body()
        try await worker.stop()
    }

    /// Every event that was acknowledged is in the peer's copy, once, in the order in which it was written.
    fileprivate func expectCopied(_ ledger: [String]) async throws {
        let copy = try await west.send(RedisCommand("XRANGE", Self.voice.key, "-", "+")).elements
            .compactMap { $0[0]?.string }
        let written = Set(ledger)
        #expect(ledger.count > 1000)
        #expect(copy.filter { written.contains($0) } == ledger)
    }
}
