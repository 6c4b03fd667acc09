internal import CrashPoints
package import Journal
internal import Logging
internal import Observability
internal import RESP

/// Keeps the provisioning state of the local Redis in step with the provisioning journals, until cancelled.
///
/// Each session begins at the cursors that the server holds and ends with the first failure; nothing else is remembered.
package struct ProvisioningProjection: Sendable {
    private let journals: [JournalName]
    private let layouts: IndexLayouts
    private let limits: ProvisioningFold.Limits
    private let store: any ProjectionStore
    private let tail: any JournalTail
    private let report: ProjectionReport
    private let progress: ProvisioningProgress

    /// `journals` are those of all regions; `tail` is read by nobody else; `progress` is told how far it has come.
    package init(
        journals: [JournalName], layouts: IndexLayouts, limits: ProvisioningFold.Limits = .init(),
        store: any ProjectionStore, tail: any JournalTail, report: ProjectionReport,
        progress: ProvisioningProgress = ProvisioningProgress()
    ) {
        self.journals = journals
        self.layouts = layouts
        self.limits = limits
        self.store = store
        self.tail = tail
        self.report = report
        self.progress = progress
    }

    package func run() async {
        report.set(ProjectionReport.provisioning, ComponentState("starting", .waiting))
        var reader = TailReader(tail: tail, store: store)
        var pause = SessionPause()
        var counted: [JournalName: EntryID] = [:]
        while !Task.isCancelled {
            do throws(StoreFailure) {
                try await session(&reader, &pause, &counted)
            } catch {
                progress.interrupted()
                guard !Task.isCancelled else { break }
                report.lag(nil, topic: .provisioning)
                if error.isWrongType { await reclaim() }
                await pause.wait(after: error, store, report, ProjectionReport.provisioning)
            }
        }
        progress.interrupted()  // nobody looks any more
        await reader.close()
    }

    /// Calls that were sent, and what becomes true when they have succeeded.
    private struct Sent {
        let commands: SentCommands
        let completed: Position
        /// The last transactions of histories that end among these.
        let ends: [Position]
        let objects: Int
        let commitTimes: [Int64]
        /// Objects were quarantined with them, or before.
        let isQuarantining: Bool
    }

    /// `counted` are the entries that the sessions before have taken: what is unreadable of them is read again, but not
    /// counted again.
    private func session(
        _ reader: inout TailReader, _ pause: inout SessionPause, _ counted: inout [JournalName: EntryID]
    ) async throws(StoreFailure) {
        var fold = try await align(counted)
        var performer = ProvisioningPerformer(store: store)
        var inFlight: [Sent] = []
        var trailing = fold.completed
        var advanced = trailing
        var counts = fold.counts
        var lag = LagMeter(asksAlways: true)
        var gaps: [RedisCommand] = []
        var isQuarantining = false
        var nextMeasure = ContinuousClock.now
        var marksReadAt = ContinuousClock.now
        defer {
            report.unreadable(
                fold.counts.unreadable - counts.unreadable, first: fold.takeFirstUnreadable(),
                component: ProjectionReport.provisioning)
            counted = fold.counted
        }
        pause.aligned()
        progress.reached(trailing, isWhole: fold.staleness == nil)
        say(fold, trailing)
        while !Task.isCancelled {
            let hasMore = try await performer.perform(&fold, trailing: advanced) {
                note($0, $1)
                isQuarantining = true
            }
            note(performer.takeReplaced(), &fold)
            var commands = performer.take()
            commands += gaps  // behind the mark for them
            gaps = []
            if trailing > advanced, !commands.isEmpty || inFlight.isEmpty {
                commands.append(ProjectionFunctions.advance(from: advanced, to: trailing))
                advanced = trailing
            }
            if !commands.isEmpty || fold.completed > max(trailing, inFlight.last?.completed ?? .zero) {
                let sent = await store.send(commands)
                CrashPoint.provisioningSent.pass()
                inFlight.append(
                    Sent(
                        commands: sent, completed: fold.completed, ends: fold.takeEnds(),
                        objects: fold.counts.objects - counts.objects, commitTimes: fold.takeCommitTimes(),
                        isQuarantining: isQuarantining))
                isQuarantining = false
                report.unreadable(
                    fold.counts.unreadable - counts.unreadable, first: fold.takeFirstUnreadable(),
                    component: ProjectionReport.provisioning)
                counts = fold.counts
            }
            if !hasMore {
                let isQuiet = inFlight.isEmpty && trailing == advanced
                let reads = try await reader.read(
                    behind: fold.wanted, patience: inFlight.isEmpty ? .seconds(1) : .zero)
                report.leftOut(reader.strays.kinds, of: ProjectionReport.provisioning)
                if !reads.isEmpty { CrashPoint.provisioningRead.pass() }
                for read in reads { try take(read, &fold) }
                if reads.isEmpty, !inFlight.isEmpty { trailing = try await settle(inFlight.removeFirst(), &fold) }
                if reads.isEmpty, isQuiet { try await look(for: advanced) }
            }
            while inFlight.count > 1 { trailing = try await settle(inFlight.removeFirst(), &fold) }
            if ContinuousClock.now >= nextMeasure {
                nextMeasure = .now + .seconds(1)
                try await lag.measure(fold.progress, through: store)
                report.lag(lag.lag, topic: .provisioning)
                gaps = try await newGaps(at: advanced)
                if !gaps.isEmpty { fold.foundGap() }
            }
            if inFlight.isEmpty, fold.staleness != nil || !fold.inexactness.isEmpty || !fold.quarantined.isEmpty,
                ContinuousClock.now - marksReadAt > .seconds(1)
            {
                try await readMarks(&fold)
                progress.reached(trailing, isWhole: fold.staleness == nil)
                marksReadAt = .now
            }
            say(fold, trailing)
        }
    }

    /// Copies that go on behind gaps of which the cache was not marked yet: how to note that it is.
    private func newGaps(at cursor: Position) async throws(StoreFailure) -> [RedisCommand] {
        let fields = journals.map { ProjectionKeys.gap(origin: $0.origin) }
        let answers = try await store.answers(
            [RedisCommand(["HMGET", ProjectionKeys.trailing] + fields)]
                + journals.map { RedisCommand("HGET", $0.metaKey, JournalFunctions.gapField) })
        return zip(fields, zip(answers[0].elements, answers.dropFirst())).compactMap { field, gap in
            guard let mark = gap.1.text, mark != gap.0.text else { return nil }
            return ProjectionFunctions.mark(field, from: gap.0.text, to: mark, at: cursor)
        }
    }

    /// A fold that begins where the server's state ends.
    private func align(_ counted: [JournalName: EntryID]) async throws(StoreFailure) -> ProvisioningFold {
        let first = try await store.answers(
            [
                RedisCommand("HMGET", ProjectionKeys.trailing, "provisioning", Staleness.field, Inexactness.field),
                RedisCommand("SMEMBERS", tenantsKey),
            ] + ProjectionFunctions.libraries.map(\.loadCommand))
        let held = first[0].elements.map(\.text)
        guard held.count == 3 else { throw .unreachable("HMGET was answered with something else") }
        let tenants = first[1].elements.compactMap(\.text)
        let answers = try await store.answers(
            tenants.map { RedisCommand("HMGET", ProjectionKeys.cursors(tenant: $0), "provisioning", "applying") })
        var cursors: [String: TenantCursor] = [:]
        for (tenant, answer) in zip(tenants, answers) {
            let held = answer.elements.map(\.text)
            cursors[tenant] = TenantCursor(
                held.first.flatMap { $0 }.flatMap { Position($0) } ?? .zero, mark: held.last.flatMap { $0 } ?? "")
        }
        let quarantined = try await quarantined(tenants)
        return ProvisioningFold(
            journals: journals, layouts: layouts,
            trailing: held[0].flatMap { Position($0) } ?? .zero, cursors: cursors, quarantined: quarantined,
            counted: counted, staleness: held[1].flatMap { Staleness($0) },
            inexactness: Inexactness(held[2] ?? ""), limits: limits)
    }

    /// Looks whether the cursor that trails is where this worker left it: a server that was emptied gives no other sign of
    /// it until something comes.
    private func look(for advanced: Position) async throws(StoreFailure) {
        let held = try await store.answers([RedisCommand("HGET", ProjectionKeys.trailing, "provisioning")])[0].text
        guard held.flatMap({ Position($0) }) ?? .zero == advanced else {
            throw .server(code: "CURSOR", message: held ?? "0")
        }
    }

    /// The objects of these tenants that could not be projected.
    private func quarantined(_ tenants: [String]) async throws(StoreFailure) -> Set<ProvisioningFold.ObjectName> {
        let answers = try await store.answers(
            tenants.map { RedisCommand("SMEMBERS", ProjectionKeys.quarantine(tenant: $0)) })
        var quarantined: Set<ProvisioningFold.ObjectName> = []
        for (tenant, answer) in zip(tenants, answers) {
            for name in answer.elements.compactMap(\.text) {
                guard let colon = name.firstIndex(of: ":") else { continue }
                quarantined.insert(
                    ProvisioningFold.ObjectName(
                        tenant: tenant, type: String(name[..<colon]), key: String(name[name.index(after: colon)...])))
            }
        }
        return quarantined
    }

    /// Asks whether somebody has put right what was amiss.
    private func readMarks(_ fold: inout ProvisioningFold) async throws(StoreFailure) {
        let marks = try await store.answers([
            RedisCommand("HGET", ProjectionKeys.trailing, Staleness.field),
            RedisCommand("HGET", ProjectionKeys.trailing, Inexactness.field),
        ]).map(\.text)
        fold.marked(
            staleness: marks[0].flatMap { Staleness($0) }, isInexact: marks[1] != nil,
            quarantined: try await quarantined(Set(fold.quarantined.map(\.tenant)).sorted()))
    }

    private func take(_ read: JournalRead, _ fold: inout ProvisioningFold) throws(StoreFailure) {
        do {
            try fold.read(read)
        } catch {
            throw .unreachable("\(read.journal) was answered with something else: \(error)")
        }
    }

    private func settle(_ sent: Sent, _ fold: inout ProvisioningFold) async throws(StoreFailure) -> Position {
        let results = await sent.commands.replies()
        for case .success(let reply) in results { note(reply.elements.compactMap(\.text), &fold) }
        for result in results { _ = try result.get() }
        if sent.isQuarantining { CrashPoint.provisioningQuarantined.pass() }
        CrashPoint.provisioningApplied.pass()
        report.applied(sent.objects)
        report.visible(sent.commitTimes)
        // What is marked by now may lie behind these calls; whoever waits for all of it waits for that as well.
        for end in sent.ends { progress.reached(end, isWhole: fold.staleness == nil) }
        progress.reached(sent.completed, isWhole: fold.staleness == nil)
        return sent.completed
    }

    /// Keys of the cache were replaced: a sentence for each.
    private func note(_ replaced: [String], _ fold: inout ProvisioningFold) {
        guard !replaced.isEmpty else { return }
        report.replacedKeys(replaced)
        fold.keysReplaced()
    }

    /// Deletes what somebody put in the place of the tenants' cursors and quarantines.
    private func reclaim() async {
        guard let known = try? await store.answers([RedisCommand("SMEMBERS", tenantsKey)]) else { return }
        await report.reclaim(known[0].elements.compactMap(\.text), in: store)
    }

    private func note(_ name: ProvisioningFold.ObjectName, _ problem: ProvisioningFold.Problem) {
        report.logger.error(
            "An object could not be projected",
            [.tenant: "\(name.tenant)", .objectType: "\(name.type)", .reason: "\(problem.rawValue)"])
    }

    private func say(_ fold: ProvisioningFold, _ trailing: Position) {
        guard trailing > .zero else {
            return report.set(
                ProjectionReport.provisioning,
                ComponentState("awaiting-snapshot", .waiting, reason: "nothing of PostgreSQL is in this cache yet"))
        }
        if let staleness = fold.staleness {
            return report.set(
                ProjectionReport.provisioning,
                ComponentState(
                    "stale", .degraded, reason: staleness.reason,
                    advice: "none is needed: readers are served what there is until it is found"))
        }
        var amiss = fold.inexactness.reasons
        if !fold.quarantined.isEmpty { amiss.insert("\(fold.quarantined.count) objects quarantined", at: 0) }
        guard !amiss.isEmpty else {
            return report.set(ProjectionReport.provisioning, ComponentState("projecting", .working))
        }
        report.set(
            ProjectionReport.provisioning,
            ComponentState(
                "inexact", .degraded, reason: amiss.joined(separator: ", "),
                advice: "regionsync verify names the objects that differ from PostgreSQL"))
    }
}
