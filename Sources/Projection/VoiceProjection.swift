internal import CrashPoints
internal import Journal
internal import Observability
internal import RESP

/// Keeps calls and agents in the local Redis in step with the voice journals of all tenants and regions, until cancelled.
///
/// Tenants are followed in groups, each with a reader of its own, since one blocking read over thousands of streams is
/// dear (journal.md, "Mirror rules" 9). All journals of a tenant are in one group: an agent's state comes from all.
package struct VoiceProjection: Sendable {
    package struct Settings: Sendable {
        /// The own region.
        package let region: String
        package let peers: [String]
        /// All regions, the own one included.
        package var regions: [String] { [region] + peers }
        /// Tenants that are followed whether or not they were ever provisioned.
        package var tenants: [String] = []
        /// Streams that one reader reads.
        package var streamsPerReader = 16
        /// How long an ended call's record stays readable.
        package var callRecordTime = Duration.seconds(600)

        package init(region: String, peers: [String]) {
            self.region = region
            self.peers = peers
        }
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
            var asking = RestateAsking()
            let began = ContinuousClock.now
            while !Task.isCancelled {
                do throws(StoreFailure) {
                    let fields = settings.peers.map { ProjectionKeys.down(region: $0) }
                    let known = try await store.answers([
                        RedisCommand("SMEMBERS", tenantsKey),
                        // One field more, as there may be no peer.
                        RedisCommand(["HMGET", ProjectionKeys.trailing, "provisioning"] + fields),
                    ])
                    let tenants = known[0].elements.compactMap(\.text)
                    let marks = zip(settings.peers, known[1].elements.dropFirst())
                    let down = Set(marks.filter { $1.text != nil }.map(\.0))
                    for group in await roster.enrol(settings.tenants + tenants.sorted()) {
                        tasks.addTask { await follow(group, of: roster) }
                    }
                    pause.aligned()
                    let now = began.duration(to: .now)
                    let lacking = await roster.lacking(except: down)
                    let peers = settings.peers.filter { !down.contains($0) }
                    report.set(
                        ProjectionReport.voice, await roster.state(lacking: lacking, peers: peers, at: now))
                    report.lacks(lacking.count)
                    for request in asking.due(lacking, at: now) {
                        _ = try await store.answers([request.command(from: settings.region)])
                        report.asked(request)
                    }
                    report.leftOut(await roster.leftOut, of: ProjectionReport.voice)
                    report.lag(await roster.lag, topic: .voice)
                    try? await Task.sleep(for: .seconds(1))
                } catch {
                    guard !Task.isCancelled else { return }
                    report.lag(nil, topic: .voice)
                    await pause.wait(after: error, store, report, ProjectionReport.voice)
                }
            }
        }
    }

    /// How long events gather at most.
    private static let gathering = Duration.milliseconds(5)

    private func follow(_ group: Int, of roster: VoiceRoster) async {
        var reader = TailReader(tail: tail("voice-\(group)"), store: store)
        var pause = SessionPause()
        while !Task.isCancelled {
            do throws(StoreFailure) {
                try await session(group, of: roster, &reader, &pause)
            } catch {
                guard !Task.isCancelled else { break }
                await roster.failed(group, error)
                if error.isWrongType { await report.reclaim(await roster.tenants(of: group), in: store) }
                await pause.wait(after: error, store, report, ProjectionReport.voice)
            }
        }
        await reader.close()
    }

    private func session(
        _ group: Int, of roster: VoiceRoster, _ reader: inout TailReader, _ pause: inout SessionPause
    ) async throws(StoreFailure) {
        var session = Session(VoiceFold(region: settings.region, recordTime: settings.callRecordTime))
        var followed = 0
        var nextLook = ContinuousClock.now
        while !Task.isCancelled {
            let tenants = await roster.tenants(of: group)
            if tenants.count > followed {
                let journals = tenants[followed...].flatMap { tenant in
                    settings.regions.map { JournalName.voice(tenant: tenant, origin: $0) }
                }
                try await session.fold.follow(journals, from: store)
                try await project(&session)  // what was left to be done
                followed = tenants.count
                session.nextMeasure = .now
            }
            // A region that has rejoined goes on behind what it wrote meanwhile.
            if ContinuousClock.now >= nextLook, !session.fold.ended.isEmpty {
                try await session.fold.follow(session.fold.ended, from: store)
                nextLook = .now + .seconds(1)
            }
            if ContinuousClock.now >= session.nextMeasure {
                session.nextMeasure = .now + .seconds(1)
                try await session.fold.compareCursors(with: store)
                let strays = reader.strays.kinds
                let progress = session.fold.progress.filter { strays[$0.journal] == nil }
                try await session.lag.measure(progress, through: store)
                await roster.measured(group, lag: session.lag.lag)
            }
            if ContinuousClock.now >= session.nextGaps { try await session.lookForGaps(in: store) }
            await roster.looked(group, incomplete: session.fold.incomplete)
            // A group that may grow looks now and then; so does one whose lag is to be seen going, or that leaves out a key.
            let isCalm =
                await roster.isFull(group) && session.lag.lag == 0 && reader.strays.kinds.isEmpty
            let patience = isCalm ? session.patience : .seconds(1)
            let reads = try await reader.read(behind: session.fold.wanted, patience: patience)
            let readAt = ContinuousClock.now
            if !reads.isEmpty { CrashPoint.voiceRead.pass() }
            for read in reads {
                do {
                    try session.fold.read(read)
                } catch {
                    throw .unreachable("\(read.journal) was answered with something else: \(error)")
                }
            }
            try await project(&session)
            pause.aligned()
            await roster.works(group, leavingOut: reader.strays.kinds)
            // Events that come one upon the other are taken together: a read and a call cost the server, and whoever shares
            // its machine, as much as several events do. One that comes alone does not wait.
            if !reads.isEmpty, readAt - session.lastRead < Self.gathering {
                try? await Task.sleep(until: readAt + Self.gathering)
            }
            session.lastRead = .now
        }
    }

    /// What a group's reader knows until its first failure.
    private struct Session {
        var fold: VoiceFold
        /// What of `fold.counts` was reported.
        var reported: VoiceFold.Counts
        var objection: StoreFailure?
        var lag = LagMeter()
        var nextMeasure = ContinuousClock.now
        /// When the last read was over and done with, gathering included.
        var lastRead = ContinuousClock.now
        /// When it is looked for what is missing again.
        private(set) var nextGaps = ContinuousClock.now
        /// How long that waits while something is missing: ever longer, since its region may never come.
        private var gapPause = Duration.seconds(1)

        /// How long a read may wait where nothing else is to be done.
        var patience: Duration { fold.incomplete.isEmpty ? .seconds(10) : gapPause }

        mutating func lookForGaps(in store: any ProjectionStore) async throws(StoreFailure) {
            let before = fold.incomplete
            try await fold.lookForGaps(in: store)
            gapPause = fold.incomplete == before ? min(gapPause * 2, .seconds(5)) : .seconds(1)
            nextGaps = .now + (fold.incomplete.isEmpty ? .seconds(5) : gapPause)
        }

        init(_ fold: VoiceFold) {
            self.fold = fold
            reported = fold.counts
        }
    }

    /// Brings what was read into state, and ends the sessions that are found lost in it.
    private func project(_ session: inout Session) async throws(StoreFailure) {
        try await session.fold.project(into: store)
        let objection = try await session.fold.logOut(through: store, at: Timestamp.now.nanoseconds / 1000)
        if let objection, objection != session.objection { report.logoutsRefused(objection) }
        session.objection = objection
        let (counts, reported) = (session.fold.counts, session.reported)
        report.applied(counts.events - reported.events)
        report.illegal(counts.illegal - reported.illegal)
        report.unreadable(
            counts.unreadable - reported.unreadable, first: session.fold.takeFirstUnreadable(),
            component: ProjectionReport.voice)
        report.loggedOut(counts.logouts - reported.logouts)
        report.replaced(counts.replaced - reported.replaced)
        report.tookRestated(counts.restated - reported.restated)
        session.reported = counts
    }
}
