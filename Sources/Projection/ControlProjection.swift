internal import CrashPoints
internal import Journal
internal import Observability
internal import RESP

/// Follows the other regions' control journals, until cancelled: notes when each was heard and what it had then, tells what
/// they say of capture, and takes over what a survivor declared of a third region.
package struct ControlProjection: Sendable {
    private let region: String
    let peers: [String]
    private let tenants: [String]
    /// How long a region that has rejoined may take to see to this one's cuts itself.
    let rejoinPatience: Duration
    let store: any ProjectionStore
    private let tail: any JournalTail
    let report: ProjectionReport
    private let progress: ProvisioningProgress

    /// `tenants` are followed whether or not they were ever provisioned; `tail` is read by nobody else; `progress` is told
    /// what others say of capture.
    package init(
        region: String, peers: [String], tenants: [String] = [], rejoinPatience: Duration = .seconds(30),
        store: any ProjectionStore, tail: any JournalTail, report: ProjectionReport,
        progress: ProvisioningProgress = ProvisioningProgress()
    ) {
        self.region = region
        self.peers = peers
        self.tenants = tenants
        self.rejoinPatience = rejoinPatience
        self.store = store
        self.tail = tail
        self.report = report
        self.progress = progress
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
        let old = try await newest(of: journals)
        var nextCount = ContinuousClock.now
        while !Task.isCancelled {
            let reads = try await reader.read(behind: cursors, patience: .seconds(1))
            report.leftOut(reader.strays.kinds, of: ProjectionReport.control)
            for read in reads {
                guard let index = cursors.firstIndex(where: { $0.journal == read.journal }) else { continue }
                CrashPoint.controlRead.pass()
                let news = try await take(read, behind: cursors[index].last)
                CrashPoint.controlApplied.pass()
                cursors[index] = JournalCursor(read.journal, behind: read.batch.last)
                if let said = news.capture, said.entry > old[read.journal] ?? .zero {
                    progress.said(by: read.journal.origin, captured: said.captured)
                }
            }
            pause.aligned()
            report.set(ProjectionReport.control, ComponentState("projecting", .working))
            guard ContinuousClock.now >= nextCount else { continue }
            nextCount = .now + .seconds(2)
            try await settleRejoined()
            try await countWithheld()
        }
    }

    /// The entries that are there already, which may be of any age: the last one of each journal that has any.
    /// A key that holds something of another kind has none, and is not read either.
    private func newest(of journals: [JournalName]) async throws(StoreFailure) -> [JournalName: EntryID] {
        let looks = journals.map { RedisCommand("XREVRANGE", $0.key, "+", "-", "COUNT", "1") }
        var newest: [JournalName: EntryID] = [:]
        for (journal, look) in zip(journals, await store.run(looks)) {
            switch look {
            case .success(let entries):
                newest[journal] = entries.elements.first?.elements.first?.text.flatMap { EntryID($0) }
            case .failure(let failure):
                guard failure.isWrongType else { throw failure }
            }
        }
        return newest
    }

    /// Projects what was read of a control journal.
    private func take(_ read: JournalRead, behind cursor: EntryID) async throws(StoreFailure) -> ControlNews {
        let origin = read.journal.origin
        let news: ControlNews
        do {
            news = try ControlNews(read.batch, for: region)
        } catch {
            throw .unreachable("\(read.journal) was answered with something else: \(error)")
        }
        let field = ProjectionKeys.controlCursor(origin: origin)
        let regions = news.words.keys.sorted()
        let fields = regions.flatMap { [ProjectionKeys.down(region: $0), ProjectionKeys.rejoining(region: $0)] }
        let answers = try await store.answers([
            RedisCommand("TIME"), RedisCommand(["HMGET", ProjectionKeys.trailing, field] + fields),
        ])
        let held = answers[1].elements.dropFirst().map(\.text)
        guard let time = answers[0].milliseconds, held.count == fields.count else {
            throw .unreachable("TIME or HMGET was answered with something else")
        }
        var commands = GuardedCommands()
        if let heard = news.heard {
            let word = RegionHeard(time: time, entry: heard.entry, heartbeat: heard.heartbeat)
            commands.append(
                ["HSET", ProjectionKeys.trailing, ProjectionKeys.heard(origin: origin), word.description])
        }
        if let request = news.request {
            commands.append(
                ["HSET", ProjectionKeys.trailing, ProjectionKeys.asked(by: origin), request.note])
        }
        for (index, name) in regions.enumerated() {
            guard let word = news.words[name] else { continue }
            let known = (note: held[2 * index], isRejoining: held[2 * index + 1] != nil)
            try await take(word, on: name, from: origin, known, at: time, &commands)
        }
        _ = try await store.answers([
            RedisCommand(
                [
                    "FCALL", "rsp2_apply", "1", ProjectionKeys.trailing, field,
                    cursor == .zero ? "0" : cursor.description, read.batch.last.description,
                ], commands.words)
        ])
        return news
    }

    /// Takes over what `origin` says of a region, of which this is known.
    private func take(
        _ word: ControlNews.Word, on name: String, from origin: String, _ known: (note: String?, isRejoining: Bool),
        at time: Int64, _ commands: inout GuardedCommands
    ) async throws(StoreFailure) {
        let (down, rejoining) = (ProjectionKeys.down(region: name), ProjectionKeys.rejoining(region: name))
        let note = known.note.flatMap { RegionDownNote($0) }
        switch word {
        // What others say of this region itself: it captures nothing while it counts as down.
        case .down(let declared, _) where name == region:
            commands.append(["HSET", ProjectionKeys.trailing, down, "\(RegionDownNote(declared, in: origin))"])
        case .rejoined where name == region:
            commands.append(["HDEL", ProjectionKeys.trailing, down])
        case .down(let declared, let isAnew):
            // An incident before the one that is known is over.
            if let note, note.history >= declared.history { return }
            try await cut(declared, anew: isAnew || known.isRejoining)
            commands.append(["HSET", ProjectionKeys.trailing, down, "\(RegionDownNote(declared, in: origin))"])
            if known.isRejoining { commands.append(["HDEL", ProjectionKeys.trailing, rejoining]) }
        case .rejoined:
            // Others' declarations stand: what is said here is of this one's.
            guard let held = known.note, note?.origin == origin, !known.isRejoining else { return }
            commands.append(
                ["HSET", ProjectionKeys.trailing, rejoining, "\(RejoiningWord(time: time, note: held))"])
        }
    }

    /// Ends the journals of a region where the survivor's copies ended; where they end already only if that is `anew`.
    private func cut(_ down: RegionDown, anew: Bool) async throws(StoreFailure) {
        let commands = down.cuts.filter { $0.key.topic == .voice }.map { journal, cut in
            RedisCommand(
                anew ? "HSET" : "HSETNX", ProjectionKeys.cursors(tenant: journal.tenant),
                ProjectionKeys.voiceCut(origin: down.region), cut.description)
        }
        _ = try await store.answers(commands)
    }

    /// Those that provisioning names and those that are always followed.
    func knownTenants() async throws(StoreFailure) -> [String] {
        let known = try await store.answers([RedisCommand("SMEMBERS", tenantsKey)])
        return Set(known[0].elements.compactMap(\.text) + tenants).sorted()
    }

    // MARK: Beyond the cut

    /// Counts what came of regions that count as down.
    private func countWithheld() async throws(StoreFailure) {
        let fields = peers.map { ProjectionKeys.down(region: $0) }
        let answers = try await store.answers([RedisCommand(["HMGET", ProjectionKeys.trailing] + fields)])
        let tenants = try await knownTenants()
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

extension StoreReply {
    /// The answer to `TIME`, ms since 1970; nil for anything else.
    var milliseconds: Int64? {
        let parts = elements.compactMap { $0.text.flatMap { Int64($0) } }
        return parts.count == 2 ? parts[0] &* 1000 &+ parts[1] / 1000 : nil
    }
}
