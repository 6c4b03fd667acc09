internal import Journal
internal import Observability
internal import RESP

/// Follows the other regions' control journals, until cancelled: notes when each was heard and what it had then, and takes
/// over what a survivor declared of a third region.
package struct ControlProjection: Sendable {
    private let region: String
    private let peers: [String]
    private let store: any ProjectionStore
    private let tail: any JournalTail
    private let report: ProjectionReport

    /// `tail` is read by nobody else.
    package init(
        region: String, peers: [String], store: any ProjectionStore, tail: any JournalTail, report: ProjectionReport
    ) {
        self.region = region
        self.peers = peers
        self.store = store
        self.tail = tail
        self.report = report
    }

    package func run() async {
        report.set(ProjectionReport.control, ComponentState("starting", .waiting))
        var reader = TailReader(tail: tail, store: store)
        var pause = SessionPause()
        while !Task.isCancelled {
            do throws(StoreFailure) {
                try await session(&reader, &pause)
            } catch {
                guard !Task.isCancelled else { break }
                await pause.wait(after: error, store, report, ProjectionReport.control)
            }
        }
        await reader.close()
    }

    private func session(_ reader: inout TailReader, _ pause: inout SessionPause) async throws(StoreFailure) {
        let journals = peers.map { JournalName.control(origin: $0) }
        let fields = peers.map { ProjectionKeys.controlCursor(origin: $0) }
        let held = try await store.answers([RedisCommand(["HMGET", ProjectionKeys.trailing] + fields)])[0].elements
        var cursors = zip(journals, held).map { journal, cursor in
            JournalCursor(journal, behind: cursor.text.flatMap { EntryID($0) } ?? .zero)
        }
        guard cursors.count == journals.count else { throw .unreachable("HMGET was answered with something else") }
        var nextCount = ContinuousClock.now
        while !Task.isCancelled {
            let reads = try await reader.read(behind: cursors, patience: .seconds(1))
            report.leftOut(reader.strays.kinds, of: ProjectionReport.control)
            for read in reads {
                guard let index = cursors.firstIndex(where: { $0.journal == read.journal }) else { continue }
                try await take(read, behind: cursors[index].last)
                cursors[index] = JournalCursor(read.journal, behind: read.batch.last)
            }
            pause.aligned()
            report.set(ProjectionReport.control, ComponentState("projecting", .working))
            guard ContinuousClock.now >= nextCount else { continue }
            nextCount = .now + .seconds(2)
            try await countWithheld()
        }
    }

    /// Projects what was read of a control journal.
    private func take(_ read: JournalRead, behind cursor: EntryID) async throws(StoreFailure) {
        let origin = read.journal.origin
        var heard: (entry: EntryID, heartbeat: Heartbeat)?
        var declared: [RegionDown] = []
        var hasRejoined = false
        do {
            try read.batch.forEachEntry { entry in
                if let heartbeat = Heartbeat(entry), heartbeat.peer == region { heard = (entry.id, heartbeat) }
                if let down = RegionDown(entry) { declared.append(down) }
                if entry.value(of: "event")?.elementsEqual(RegionDown.rejoinedEvent.utf8) == true,
                    entry.value(of: "key")?.elementsEqual(region.utf8) == true
                {
                    declared.removeAll { $0.region == region }
                    hasRejoined = true
                }
            }
        } catch {
            throw .unreachable("\(read.journal) was answered with something else: \(error)")
        }
        for down in declared where down.region != region { try await cut(down) }
        let time = try await store.answers([RedisCommand("TIME")])[0].elements.compactMap {
            $0.text.flatMap { Int64($0) }
        }
        var commands = GuardedCommands()
        if let heard, time.count == 2 {
            let milliseconds = time[0] &* 1000 &+ time[1] / 1000
            let word = RegionHeard(time: milliseconds, entry: heard.entry, heartbeat: heard.heartbeat)
            commands.append(
                ["HSET", ProjectionKeys.trailing, ProjectionKeys.heard(origin: origin), word.description])
        }
        // What others say of this region itself: it captures nothing while it counts as down.
        if hasRejoined { commands.append(["HDEL", ProjectionKeys.trailing, ProjectionKeys.down(region: region)]) }
        for down in declared {
            commands.append(
                [
                    "HSET", ProjectionKeys.trailing, ProjectionKeys.down(region: down.region),
                    "\(down.history) \(down.entry)",
                ])
        }
        _ = try await store.answers([
            RedisCommand(
                [
                    "FCALL", "rsp2_apply", "1", ProjectionKeys.trailing, ProjectionKeys.controlCursor(origin: origin),
                    cursor == .zero ? "0" : cursor.description, read.batch.last.description,
                ], commands.words)
        ])
    }

    /// Ends the journals of a region where the survivor's copies ended.
    private func cut(_ down: RegionDown) async throws(StoreFailure) {
        let commands = down.cuts.filter { $0.key.topic == .voice }.map { journal, cut in
            RedisCommand(
                "HSETNX", ProjectionKeys.cursors(tenant: journal.tenant),
                ProjectionKeys.voiceCut(origin: down.region), cut.description)
        }
        _ = try await store.answers(commands)
    }

    // MARK: Beyond the cut

    /// Counts what came of regions that count as down.
    private func countWithheld() async throws(StoreFailure) {
        let fields = peers.map { ProjectionKeys.down(region: $0) }
        let answers = try await store.answers([
            RedisCommand(["HMGET", ProjectionKeys.trailing] + fields), RedisCommand("SMEMBERS", tenantsKey),
        ])
        let tenants = answers[1].elements.compactMap(\.text)
        for (peer, mark) in zip(peers, answers[0].elements) {
            report.withheld(mark.text != nil ? try await withheld(of: peer, tenants) : nil, of: peer)
        }
    }

    private func withheld(of peer: String, _ tenants: [String]) async throws(StoreFailure) -> UInt64 {
        let answers = try await store.answers(
            tenants.flatMap { tenant in
                [
                    RedisCommand(
                        "HGET", ProjectionKeys.cursors(tenant: tenant), ProjectionKeys.voiceCut(origin: peer)),
                    RedisCommand("HGET", JournalName.voice(tenant: tenant, origin: peer).metaKey, "count"),
                ]
            })
        var entries: UInt64 = 0
        for index in tenants.indices {
            guard let cut = answers[2 * index].text.flatMap({ JournalCut($0) }),
                let count = answers[2 * index + 1].text.flatMap({ UInt64($0) }), count > cut.count
            else { continue }
            entries &+= count - cut.count
        }
        return entries
    }
}
