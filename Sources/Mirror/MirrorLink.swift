package import Journal
package import NIOCore
internal import Observability

/// Ships all journals born in this region to one peer region.
///
/// Everything runs on one event loop, connections included, so that a batch crosses no executor on its way. Reading is
/// shared by groups of journals, since one blocked read over thousands of streams costs Redis milliseconds a wake
/// (journal.md, mirror rule 9); appending goes through one connection, in order.
package actor MirrorLink {
    package nonisolated let eventLoop: any EventLoop
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe eventLoop.executor.asUnownedSerialExecutor()
    }

    let settings: MirrorSettings
    /// The region to which it ships.
    package nonisolated var peer: String { settings.peer }
    let connector: any MirrorConnector
    var report: MirrorReport
    let captured: @Sendable () -> Position?
    var journals: [JournalName: MirroredJournal] = [:]
    var groups: [ReadGroup] = []
    var session: Session?
    private var sessionCount = 0
    /// Bytes read and not yet acknowledged, over all journals.
    var bytesInFlight = 0
    /// Whether all journals that there are were added.
    private(set) var hasAll = false
    /// What the peer has and lacks, as measured last in this session.
    var backlog: PeerBacklog?
    /// Probes under way, oldest first.
    var probes: [(id: EntryID, since: NIODeadline)] = []
    /// Who waits until the peer holds what, by number (`holds`).
    var awaited = AwaitedEntries()
    var waiting: [Int: CheckedContinuation<Bool, Never>] = [:]
    var waitCount = 0
    /// What is heard of the peer.
    var hearing = LinkHearing(first: .random(in: 0...1 << 60))

    /// One pair of connections; all that was under way ends with it.
    final class Session {
        /// Tells an answer of this session from a late one of another.
        let number: Int
        let source: any MirrorSource
        let target: any MirrorTarget
        let newGroups: AsyncStream<Int>
        let groupAdded: AsyncStream<Int>.Continuation
        /// Journals that are to be mended, one after the other.
        let repairs: AsyncStream<JournalName>
        let repairNeeded: AsyncStream<JournalName>.Continuation
        /// Birth mark of the control journal: the source's history in this session.
        let mark: String
        var identity: ServerIdentity?
        /// Why it ended; nil while it lasts.
        var loss: LinkLoss?
        /// Why entries, or a place to begin from, were refused last; nil since they were not.
        var refusal: String?
        /// Whether entries are let gather before they are read.
        var gathering = Gathering()
        /// When a copy that went back is worth another look at all of them.
        var nextReview = NIODeadline.now()
        /// Whether that look is to be taken.
        var isReviewDue = false

        init(number: Int, source: any MirrorSource, target: any MirrorTarget, mark: String) {
            self.number = number
            self.source = source
            self.target = target
            self.mark = mark
            (newGroups, groupAdded) = AsyncStream.makeStream(of: Int.self)
            (repairs, repairNeeded) = AsyncStream.makeStream(of: JournalName.self)
        }

        /// Something in it failed that ends it.
        func failed(_ error: any Error) {
            if loss == nil { loss = error as? LinkLoss ?? LinkLoss(error as? Refusal ?? .unavailable("\(error)")) }
        }
    }

    /// `captured` says up to where this region has projected what it captures; nil while it does not capture.
    package init(
        settings: MirrorSettings, connector: any MirrorConnector, report: MirrorReport, eventLoop: any EventLoop,
        captured: @escaping @Sendable () -> Position? = { nil }
    ) {
        self.settings = settings
        self.connector = connector
        self.report = report
        self.captured = captured
        self.eventLoop = eventLoop
    }

    /// Adds journals to those that are shipped; known ones stay as they are. Until somebody has said that these and those
    /// before `areAll` that there are, the peer is not told what it may reckon with.
    package func mirror(_ names: [JournalName], areAll: Bool = true) {
        if areAll { hasAll = true }
        for name in names where journals[name] == nil {
            if groups.last.map({ $0.journals.count >= settings.journalsPerReader }) ?? true {
                groups.append(ReadGroup(entryBytes: settings.readBytes / 8))
                session?.groupAdded.yield(groups.count - 1)
            }
            let group = groups.count - 1
            let journal = MirroredJournal(name: name, group: group, windowBytes: settings.windowBytes)
            journals[name] = journal
            groups[group].journals.append(journal)
            if session != nil { advance(journal) }
        }
    }

    /// The ID up to which the peer holds a journal by its own word; nil while that was not heard in this run.
    package func acknowledged(of name: JournalName) -> EntryID? {
        guard let journal = journals[name], journal.wasHeard else { return nil }
        return journal.machine.acknowledged
    }

    /// Whether the peer is away. While it is not, the link itself finds what leaves a journal before the peer has it.
    package var isDown: Bool { session == nil }

    /// Ships until cancelled; connects again whenever a connection is lost. It may run again when that has ended: who waits
    /// for something waits on, and what is known of gaps stays.
    package func run() async {
        var attempt = 0
        report.linkUp.set(false)
        while !Task.isCancelled {
            let loss: LinkLoss
            do throws(LinkLoss) {
                let session = try await connect()
                let since = NIODeadline.now()
                loss = await hold(session)
                // Servers that take connections only to drop them are not to be asked without pause.
                if NIODeadline.now() - since > TimeAmount(settings.longestPause) { attempt = 0 }
            } catch {
                loss = error
            }
            report.linkUp.set(false)
            report.lag.set(nil as Double?)
            guard !Task.isCancelled else { break }
            tellDown(loss)
            try? await Task.sleep(for: settings.pause(attempt: attempt))
            attempt += 1
        }
        report.linkUp.set(nil as Double?)
        endRun()
    }

    /// The next run asks and tells anew, of a region's Redis that may be another one by then.
    private func endRun() {
        hasAll = false
        report.forget()
        for journal in journals.values {
            journal.wasHeard = false
            journal.machine.lookedAgain()
        }
    }

    private func connect() async throws(LinkLoss) -> Session {
        let source: any MirrorSource
        do {
            source = try await connector.source()
        } catch {
            throw LinkLoss(error)
        }
        do {
            let control = JournalName.control(origin: settings.region)
            let mark = try await source.lineage(
                of: control, cursor: .zero, peer: settings.peer, copyBirth: nil
            ).get().birth
            await listen(through: source)
            let knock = hearing.knock()
            let target = try await connector.target(leaving: knock)
            hearing.answered(knock)
            sessionCount += 1
            return Session(number: sessionCount, source: source, target: target, mark: mark)
        } catch {
            await listen(through: source)
            source.close()
            throw error as? LinkLoss ?? LinkLoss(error as? Refusal ?? .unavailable("\(error)"))
        }
    }

    /// One session: until a connection is lost or the task is cancelled. Returns why it ended.
    private func hold(_ session: Session) async -> LinkLoss {
        self.session = session
        for group in groups.indices { session.groupAdded.yield(group) }
        for journal in journals.values { advance(journal) }
        report.set(ComponentState("streaming", .working))
        report.linkUp.set(true)
        report.cut(nil)
        let source = session.source
        let target = session.target
        let number = session.number
        source.closed.whenSuccess { loss in
            self.assumeIsolated { $0.lost(number, LinkLoss(loss.refusal)) }
            target.close()
        }
        target.closed.whenSuccess { loss in
            self.assumeIsolated { $0.lost(number, loss) }
            source.close()
        }
        let newGroups = session.newGroups
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { _ = try? await target.closed.get() }
            tasks.addTask { await self.watch() }
            tasks.addTask { await self.repairJournals() }
            tasks.addTask { await self.keepHearing() }
            tasks.addTask {
                await withDiscardingTaskGroup { readers in
                    for await group in newGroups { readers.addTask { await self.serve(group: group) } }
                }
            }
            await tasks.next()
            session.repairNeeded.finish()
            source.close()
            target.close()
            tasks.cancelAll()
            end(session)  // wakes the readers, so that they see it
        }
        return session.loss ?? LinkLoss(.unavailable("the link was closed"))
    }

    /// A connection of session `number` is gone; the first one tells why.
    private func lost(_ number: Int, _ loss: LinkLoss) {
        guard let session, session.number == number, session.loss == nil else { return }
        session.loss = loss
        report.linkUp.set(false)
        tellDown(loss)
    }

    private func end(_ session: Session) {
        self.session = nil
        session.groupAdded.finish()
        bytesInFlight = 0
        probes.removeAll()
        backlog = nil
        for journal in journals.values {
            journal.machine.linkLost()
            journal.isMeasured = false
            journal.wantedRead = nil
            journal.repair = nil
            journal.wasFenced = false
        }
        for group in groups {
            group.reader?.close()  // it may be waiting for entries
            group.wake()
        }
        report.inflightBytes.set(nil as Double?)
        for topic in Topic.allCases { report.backlog(nil, topic: topic) }
    }
}
