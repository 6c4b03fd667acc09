import Journal
import NIOCore
import RESP
import RedisClient
import RegionConfig
import Traffic

/// All writers and observers of voice events: one writer a region, one direction for each pair of regions. Lives on one
/// event loop.
final class VoiceTraffic {
    private let eventLoop: any EventLoop
    private let regions: [String]
    let writers: [VoiceWriter]
    let directions: [Direction]
    /// By region of birth: its journals.
    private let journals: [[VoiceWriter.Journal]]
    /// By region of birth: where each journal ended before the first event; known once its Redis was reached.
    private let ends: [EventLoopPromise<[EntryID]>]
    private var knowsEnds: [Bool]
    private var tails: [TailName: CopyTail] = [:]
    private var acknowledgedBefore: [Int]

    /// A group of copies that one connection reads.
    struct TailName: Hashable, Sendable {
        /// Place of the region of birth, and of the one that holds the copies.
        let origin: Int
        let peer: Int
        let journals: Range<Int>
    }

    init(
        _ settings: GeneratorSettings, tenants: [TenantInventory], startTime: Int64, eventLoop: any EventLoop
    ) {
        let names = settings.regions.map(\.name)
        let observed = min(settings.observedTenants, tenants.count)
        var (writers, journals, directions): ([VoiceWriter], [[VoiceWriter.Journal]], [Direction]) = ([], [], [])
        for (place, name) in names.enumerated() {
            let own = tenants.enumerated().map { index, tenant in
                VoiceWriter.Journal(index: index, key: JournalName.voice(tenant: "\(tenant.tenant)", origin: name).key)
            }
            let outward = names.filter { $0 != name }.map { Direction(from: name, to: $0, journals: observed) }
            let byTenant = Dictionary(zip(tenants.map(\.tenant), own), uniquingKeysWith: { $1 })
            // Some seconds of events are calls in progress, so that ending them does not take longer.
            let calls = settings.eventsPerSecond / max(1, tenants.count) / 2
            let traffic = TrafficGenerator(
                .init(
                    server: name, seed: settings.seed &+ UInt64(place), startTime: startTime,
                    callsPerTenant: min(max(calls, 2), 40)),
                tenants: tenants.map { $0.share(place, of: names.count) })
            writers.append(
                VoiceWriter(traffic, rate: max(1, settings.eventsPerSecond), journals: byTenant, eventLoop: eventLoop) {
                    for direction in outward { direction.acknowledged($0, $1, sentAt: $2) }
                })
            journals.append(own)
            directions += outward
        }
        self.eventLoop = eventLoop
        regions = names
        self.writers = writers
        self.directions = directions
        self.journals = journals
        ends = names.map { _ in eventLoop.makePromise(of: [EntryID].self) }
        knowsEnds = names.map { _ in false }
        acknowledgedBefore = names.map { _ in 0 }
    }

    // MARK: Connections

    /// The groups of copies that are to be watched.
    var tailNames: [TailName] {
        let observed = directions.isEmpty ? 0 : directions[0].journalCount
        return regions.indices.flatMap { origin in
            regions.indices.filter { $0 != origin }.flatMap { peer in
                stride(from: 0, to: observed, by: CopyTail.streamsPerRead).map { first in
                    TailName(
                        origin: origin, peer: peer,
                        journals: first..<min(first + CopyTail.streamsPerRead, observed))
                }
            }
        }
    }

    /// The region's own Redis; the result succeeds when the connection is lost or of no use at present.
    func writerConnected(_ region: Int, _ connection: RedisConnection) -> EventLoopFuture<Void> {
        guard !knowsEnds[region] else { return writers[region].connected(connection, now: unixMicroseconds()) }
        let reads = journals[region].map { journal in
            connection.send(RedisCommand("XREVRANGE", journal.key, "+", "-", "COUNT", "1"))
        }
        let replies = EventLoopFuture.whenAllSucceed(reads, on: eventLoop)
        return replies.assumeIsolated().flatMap { replies in
            let ids = replies.map { reply in
                reply[0]?[0]?.bytes.flatMap { EntryID(ascii: $0.readableBytesView) } ?? .zero
            }
            if !self.knowsEnds[region] { self.ends[region].succeed(ids) }
            self.knowsEnds[region] = true
            return self.writers[region].connected(connection, now: unixMicroseconds())
        }.flatMapErrorThrowing { _ in }.nonisolated()
    }

    /// A peer's Redis, for one group of copies; the result succeeds when the connection is lost or of no use.
    func tailConnected(_ name: TailName, _ connection: RedisConnection) -> EventLoopFuture<Void> {
        ends[name.origin].futureResult.assumeIsolated().flatMap { ends in
            let tail = self.tails[name] ?? self.tail(name, behind: ends)
            self.tails[name] = tail
            return tail.follow(connection)
        }.flatMapErrorThrowing { _ in }.nonisolated()
    }

    private func tail(_ name: TailName, behind ends: [EntryID]) -> CopyTail {
        let direction = directions.first { $0.from == regions[name.origin] && $0.to == regions[name.peer] }
        return CopyTail(
            Array(journals[name.origin][name.journals]), behind: Array(ends[name.journals]), eventLoop: eventLoop
        ) { direction?.received($0, $1, at: $2) }
    }

    // MARK: Ends

    /// No new calls. Succeeds when the last call of every region has ended, or `giveUp` was called.
    func endCalls() -> EventLoopFuture<Void> {
        for writer in writers { writer.endCalls(now: unixMicroseconds()) }
        return EventLoopFuture.andAllComplete(writers.map(\.end), on: eventLoop)
    }

    /// Succeeds when every copy has come, or `giveUp` was called.
    func drain() -> EventLoopFuture<Void> {
        EventLoopFuture.andAllComplete(directions.map { $0.drain(on: eventLoop) }, on: eventLoop)
    }

    /// Nothing is written any more, and nobody waits for copies.
    func giveUp() {
        for writer in writers { writer.giveUp() }
        for direction in directions { direction.giveUp() }
        for (place, end) in ends.enumerated() where !knowsEnds[place] {
            knowsEnds[place] = true
            end.fail(CancellationError())
        }
    }

    // MARK: Report

    /// As of now; the last second ends here.
    func takeReport(
        elapsed: Duration, since last: Duration, isFinal: Bool, _ provisioning: GeneratorReport.Provisioning
    ) -> GeneratorReport {
        let seconds = Double((elapsed - last).microseconds) / 1e6
        let regions = zip(self.regions, writers).enumerated().map { place, region in
            let counts = region.1.counts
            defer { acknowledgedBefore[place] = counts.acknowledged }
            return GeneratorReport.Region(
                region: region.0, acknowledged: counts.acknowledged, unanswered: counts.unanswered,
                refusals: counts.refusals,
                acknowledgedPerSecond: Double(counts.acknowledged - acknowledgedBefore[place]) / max(seconds, 0.001))
        }
        return GeneratorReport(
            elapsedSeconds: Double(elapsed.microseconds) / 1e6, isFinal: isFinal, regions: regions,
            directions: directions.map { $0.takeReport(seconds: seconds) }, provisioning: provisioning)
    }
}
