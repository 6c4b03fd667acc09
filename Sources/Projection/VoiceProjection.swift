internal import Journal
internal import Observability
internal import RESP

/// Keeps calls and agents in the local Redis in step with the voice journals of all tenants and regions, until cancelled.
///
/// Tenants are followed in groups, each with a reader of its own, since one blocking read over thousands of streams is
/// dear (journal.md, "Mirror rules" 9). All journals of a tenant are in one group: an agent's state comes from all.
package struct VoiceProjection: Sendable {
    package struct Settings: Sendable {
        /// All regions, the own one first.
        package var regions: [String]
        /// Tenants that are followed whether or not they were ever provisioned.
        package var tenants: [String] = []
        /// Streams that one reader reads.
        package var streamsPerReader = 16
        /// How long an ended call's record stays readable.
        package var callRecordTime = Duration.seconds(600)

        package init(regions: [String]) { self.regions = regions }
    }

    private let settings: Settings
    private let store: any ProjectionStore
    private let tail: @Sendable (String) -> any JournalTail
    private let report: ProjectionReport

    /// `tail` makes the reader of a group, whose name it is given.
    package init(
        settings: Settings, store: any ProjectionStore, tail: @escaping @Sendable (String) -> any JournalTail,
        report: ProjectionReport
    ) {
        self.settings = settings
        self.store = store
        self.tail = tail
        self.report = report
    }

    package func run() async {
        report.set(ProjectionReport.voice, ComponentState("starting", .waiting))
        let roster = VoiceRoster(tenantsPerGroup: max(1, settings.streamsPerReader / max(1, settings.regions.count)))
        await withDiscardingTaskGroup { tasks in
            var pause = SessionPause()
            while !Task.isCancelled {
                do throws(StoreFailure) {
                    let known = try await store.answers([RedisCommand("SMEMBERS", tenantsKey)])
                    let tenants = known[0].elements.compactMap(\.text)
                    for group in await roster.enrol(settings.tenants + tenants.sorted()) {
                        tasks.addTask { await follow(group, of: roster) }
                    }
                    pause.aligned()
                    report.set(ProjectionReport.voice, await roster.state)
                    try? await Task.sleep(for: .seconds(1))
                } catch {
                    guard !Task.isCancelled else { return }
                    await pause.wait(after: error, store, report, ProjectionReport.voice)
                }
            }
        }
    }

    private func follow(_ group: Int, of roster: VoiceRoster) async {
        let tail = tail("voice-\(group)")
        var pause = SessionPause()
        while !Task.isCancelled {
            do throws(StoreFailure) {
                try await session(group, of: roster, tail, &pause)
            } catch {
                guard !Task.isCancelled else { break }
                await roster.failed(group, error)
                await pause.wait(after: error, store, report, ProjectionReport.voice)
            }
        }
        await tail.close()
    }

    private func session(
        _ group: Int, of roster: VoiceRoster, _ tail: any JournalTail, _ pause: inout SessionPause
    ) async throws(StoreFailure) {
        var fold = VoiceFold(recordTime: settings.callRecordTime)
        var followed = 0
        var counts = fold.counts
        var nextLook = ContinuousClock.now
        while !Task.isCancelled {
            let tenants = await roster.tenants(of: group)
            if tenants.count > followed {
                let journals = tenants[followed...].flatMap { tenant in
                    settings.regions.map { JournalName.voice(tenant: tenant, origin: $0) }
                }
                try await fold.follow(journals, from: store)
                followed = tenants.count
            }
            // A region that has rejoined goes on behind what it wrote meanwhile.
            if ContinuousClock.now >= nextLook, !fold.ended.isEmpty {
                try await fold.follow(fold.ended, from: store)
                nextLook = .now + .seconds(1)
            }
            // A group that may grow looks now and then.
            let patience = await roster.isFull(group) ? Duration.seconds(10) : .seconds(1)
            let reads = try await tail.read(behind: fold.wanted, patience: patience)
            if reads.isEmpty { try await fold.compareCursors(with: store) }
            for read in reads {
                do {
                    try fold.read(read)
                } catch {
                    throw .unreachable("\(read.journal) was answered with something else: \(error)")
                }
            }
            try await fold.project(into: store)
            pause.aligned()
            await roster.works(group)
            report.applied(fold.counts.events - counts.events)
            report.illegal(fold.counts.illegal - counts.illegal)
            report.unreadable(fold.counts.unreadable - counts.unreadable, component: ProjectionReport.voice)
            counts = fold.counts
        }
    }
}

/// Which group follows which tenant. Groups only grow.
actor VoiceRoster {
    private let tenantsPerGroup: Int
    private var groups: [[String]] = []
    private var known: Set<String> = []
    /// Groups that do not project now, and why.
    private var troubles: [Int: String] = [:]

    init(tenantsPerGroup: Int) { self.tenantsPerGroup = tenantsPerGroup }

    /// Takes tenants on; answers the groups that this began.
    func enrol(_ tenants: [String]) -> Range<Int> {
        let before = groups.count
        for tenant in tenants where known.insert(tenant).inserted {
            if groups.last.map({ $0.count < tenantsPerGroup }) != true {
                troubles[groups.count] = "begins"
                groups.append([])
            }
            groups[groups.count - 1].append(tenant)
        }
        return before..<groups.count
    }

    func tenants(of group: Int) -> [String] { groups[group] }

    func isFull(_ group: Int) -> Bool { groups[group].count >= tenantsPerGroup }

    func works(_ group: Int) { troubles[group] = nil }

    func failed(_ group: Int, _ failure: StoreFailure) { troubles[group] = "\(failure)" }

    /// How all groups together do.
    var state: ComponentState {
        guard let trouble = troubles.min(by: { $0.key < $1.key }) else { return ComponentState("projecting", .working) }
        return ComponentState(
            "waiting", .waiting, reason: "\(troubles.count) of \(groups.count) groups of tenants wait: \(trouble.value)"
        )
    }
}
