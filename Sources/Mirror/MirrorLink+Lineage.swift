internal import CrashPoints
internal import Journal
internal import NIOCore

// How a link learns where its copies stand, and notices that a server is no longer what it was.
extension MirrorLink {
    /// Asks both ends where the journal stands, and reports to its machine.
    func align(_ journal: MirroredJournal, attempt: Int, in session: Session) {
        let name = journal.name
        let number = session.number
        let (source, target, peer) = (session.source, session.target, settings.peer)
        let pause = attempt == 0 ? .zero : settings.pause(attempt: attempt)
        eventLoop.scheduleTask(in: TimeAmount(pause)) {}.futureResult
            .flatMap { source.lineage(of: name, cursor: .zero, peer: peer, copyBirth: nil) }
            .flatMap { born in
                target.open(name, birth: born.birth, in: peer).flatMap { copy in
                    source.lineage(of: name, cursor: copy.last, peer: peer, copyBirth: copy.birth).map {
                        Found(copy: copy, source: $0, trimmed: born.passed ?? 0)
                    }
                }
            }
            .whenComplete { result in
                self.assumeIsolated { $0.aligned(name, with: result, in: number) }
            }
    }

    /// What both ends said of a journal; `trimmed` entries have left it.
    private struct Found: Sendable {
        let copy: CopyState
        let source: SourceState
        let trimmed: UInt64
    }

    private func aligned(_ name: JournalName, with result: Result<Found, any Error>, in number: Int) {
        guard let session, session.number == number, let journal = journals[name] else { return }
        switch result {
        case .success(let found):
            CrashPoint.mirrorAligned.pass()
            let (copy, source) = (found.copy, found.source)
            tell(of: copy.fork, before: journal, in: session)
            switch Lineage.verdict(on: name.topic, copy: copy, source: source) {
            case .resume(let resumption) where resumption.hasGap:
                return tellGap(journal, resumption, copy, source, in: session)
            case .resume(let resumption): resume(journal, resumption, copy, source, in: session)
            case .adopt: part(journal, CopyRepair(adopting: copy, source: source))
            case .parted(let divergence):
                part(
                    journal,
                    CopyRepair(of: name.topic, divergence, copy: copy, source: source, trimmed: found.trimmed))
            case .stop(let divergence): stop(journal, divergence, copy, source)
            }
        case .failure(let error): refused(journal, Refusal(error: error))
        }
        advance(journal)
    }

    /// The peer hears of the gap before anything comes from behind it.
    private func tellGap(
        _ journal: MirroredJournal, _ resumption: Resumption, _ copy: CopyState, _ source: SourceState,
        in session: Session
    ) {
        let (name, number) = (journal.name, session.number)
        session.target.noteGap(in: name, birth: source.birth).whenComplete { result in
            self.assumeIsolated { link in
                guard let session = link.session, session.number == number, let journal = link.journals[name] else {
                    return
                }
                switch result {
                case .success:
                    CrashPoint.mirrorGapTold.pass()
                    link.report.gap(before: copy.last, in: name)
                    link.resume(journal, resumption, copy, source, in: session)
                case .failure(let error): link.refused(journal, Refusal(error: error))
                }
                link.advance(journal)
            }
        }
    }

    private func resume(
        _ journal: MirroredJournal, _ resumption: Resumption, _ copy: CopyState, _ source: SourceState,
        in session: Session
    ) {
        // Of an unchanged mark the peer has forgotten: its copy was begun anew just now.
        let isEmptied = journal.wasFenced && journal.birth == source.birth
        let wentBack = journal.wasAligned && (isEmptied || copy.last < journal.machine.acknowledged)
        journal.wasFenced = false
        journal.birth = source.birth
        journal.copied = copy.count
        journal.missed = source.missed ?? 0
        journal.gap = copy.gap
        journal.isMeasured = true
        journal.isCaughtUp = false
        journal.passed = source.passed ?? copy.count + journal.missed
        journal.isUncounted = true
        compared(journal, resumption, copy, source)
        journal.wasAligned = true
        journal.wasHeard = true
        journal.wantedRead = nil
        let missed = journal.passed - copy.count  // a verdict to resume found no fewer
        // Noted also where it is nothing: it tells that this peer has a copy.
        if source.missed != missed { note(missed: missed, of: journal, in: session) }
        noteGap(missed, through: source.generated, of: journal, in: session)
        settle(resumption.lost, of: journal, in: session)
        session.refusal = nil
        journal.machine.aligned(at: resumption.cursor)
        tellWaiting(of: journal)
        if wentBack { review(in: session) }
    }

    /// Counts entries that left the journal before this copy had them, but for those that were counted when they left.
    private func settle(_ lost: UInt64, of journal: MirroredJournal, in session: Session) {
        let name = journal.name
        session.source.takeCounted(by: settings.peer, of: name, birth: journal.birth).whenComplete { result in
            // Where no answer comes some may count twice: better than never.
            let counted = (try? result.get()) ?? 0
            guard lost > counted else { return }
            self.assumeIsolated { $0.report.lost(lost - counted, of: name, cause: "trimmed") }
        }
    }

    private func part(_ journal: MirroredJournal, _ repair: CopyRepair) {
        journal.isMeasured = false
        journal.wasFenced = false
        journal.repair = repair
        journal.machine.parted()
    }

    /// The copy stays as it is, and lacks what the journal was given since.
    private func stop(
        _ journal: MirroredJournal, _ divergence: Divergence, _ copy: CopyState, _ source: SourceState
    ) {
        journal.copied = copy.count
        journal.missed = source.missed ?? 0
        journal.wasFenced = false
        // Of a stream that no mirror made the peer counts nothing.
        journal.isMeasured = copy.birth == nil || copy.birth == source.birth
        journal.machine.diverged(divergence)
    }

    /// The peer's Redis lost what it had acknowledged of one journal; nothing else tells that of one without traffic. Looks
    /// at all of them, at once or a second after the look before: what one look has missed, the next one finds.
    private func review(in session: Session) {
        guard !session.isReviewDue else { return }
        session.isReviewDue = true
        let number = session.number
        eventLoop.scheduleTask(deadline: max(.now(), session.nextReview)) {
            self.assumeIsolated { $0.reviewAll(in: number) }
        }
    }

    private func reviewAll(in number: Int) {
        guard let session, session.number == number else { return }
        session.isReviewDue = false
        session.nextReview = .now() + .seconds(1)
        report.targetChanged()
        for journal in journals.values { reconsider(journal) }
    }

    /// An end would not do something for a journal's lineage.
    func refused(_ journal: MirroredJournal, _ refusal: Refusal) {
        report.refused(journal.name, refusal)
        if case .unexpected(let detail) = refusal { report.stopped(journal.name, .refused, detail: detail) }
        if case .unavailable(let reason) = refusal { session?.refusal = reason }
        journal.machine.refused(refusal)
    }

    /// Keeps in mind, and beside the journal, how many entries this copy will never have.
    private func note(missed count: UInt64, of journal: MirroredJournal, in session: Session) {
        session.source.note(
            missed: count, known: journal.missed, by: settings.peer, of: journal.name, birth: journal.birth)
        journal.missed = count
        CrashPoint.mirrorMissedNoted.pass()
    }

    /// Tells the copy's region what it will never have of a journal: on its way before anything behind the gap. Of control
    /// nobody asks.
    private func noteGap(
        _ missed: UInt64, through last: EntryID, of journal: MirroredJournal, in session: Session
    ) {
        guard journal.name.topic != .control, journal.gap?.missed != missed else { return }
        let known = journal.gap
        let through = missed > known?.missed ?? 0 ? last : known?.through ?? .zero
        let gap = CopyGap(missed: missed, through: through)
        session.target.note(gap, known: known, in: settings.peer, of: journal.name, birth: journal.birth)
        journal.gap = gap
        CrashPoint.mirrorGapNoted.pass()
    }

    /// Compares, once a second, how many entries were read with how many there were: what somebody else trimmed before it
    /// was read leaves no other trace. Asked through the reader between two reads, so that nothing is on its way.
    func count(_ group: ReadGroup, through reader: any JournalReader, in session: Session) async {
        guard NIODeadline.now() >= group.nextCount else { return }
        group.nextCount = .now() + .seconds(1)
        group.countTurn += 1
        let asksAll = group.countTurn.isMultiple(of: 10)
        let asked = group.journals.filter { $0.machine.isStreaming && (asksAll || $0.isUncounted) }
        let cursors = asked.map { JournalCursor($0.name, behind: $0.machine.readCursor) }
        let limit = min(64, max(1, settings.readBytes / group.entryBytes / 8))
        guard !cursors.isEmpty, let counts = try? await reader.passed(cursors, limit: limit).get() else { return }
        guard self.session === session else { return }
        for (index, journal) in asked.enumerated() {
            guard let count = counts[index], journal.machine.isStreaming,
                journal.machine.readCursor == cursors[index].last
            else { continue }
            journal.isUncounted = false
            guard count != journal.passed else {
                journal.compared = cursors[index].last
                continue
            }
            // Of provisioning the peer hears when it is aligned anew: what came of behind the gap until then is in its cache, which
            // it compares as a whole.
            if count > journal.passed, journal.name.topic != .provisioning {
                let lost = count - journal.passed
                settle(lost, of: journal, in: session)
                note(missed: journal.missed + lost, of: journal, in: session)
                noteGap(journal.missed, through: cursors[index].last, of: journal, in: session)
                journal.isGapOpen = true
                journal.passed = count
            }
            reconsider(journal)
        }
    }

    /// Once a second while the session lasts: lineage, lag and backlog; now and then also whether the peer's Redis may be
    /// written to still, and what was stopped.
    func watch() async {
        var turn = 0
        while let session, !Task.isCancelled {
            turn += 1
            if turn.isMultiple(of: 5) { lookAtStopped() }
            do {
                if turn.isMultiple(of: 5) { try await lookAtClosed(in: session) }
                if turn.isMultiple(of: 3), let unfitness = try await session.target.unfitness().get() {
                    throw unfitness
                }
                try await compareIdentity(in: session)
                try await compareBirths(in: session)
                try await measureBacklog(in: session)
                await sendProbe(in: session)
                if let path = try await session.target.path().get() {
                    session.gathering.looked(at: path, now: .nanoseconds(NIODeadline.now().uptimeNanoseconds))
                }
                try await Task.sleep(for: .seconds(1))
            } catch {
                return session.failed(error)
            }
        }
    }

    private func lookAtStopped() {
        for journal in journals.values where journal.machine.isStopped {
            journal.machine.lookedAgain()
            advance(journal)
        }
    }

    private func compareIdentity(in session: Session) async throws {
        let identity = try await session.source.identity().get()
        defer { session.identity = identity }
        guard let before = session.identity, before != identity else { return }
        report.sourceChanged()
        for journal in journals.values { reconsider(journal) }
    }

    private func compareBirths(in session: Session) async throws {
        let known = journals.values.filter { $0.machine.isStreaming }
        guard !known.isEmpty else { return }
        let births = try await session.source.births(of: known.map(\.name)).get()
        for (journal, birth) in zip(known, births) where birth != journal.birth { reconsider(journal) }
    }

    private func reconsider(_ journal: MirroredJournal) {
        journal.isMeasured = false
        journal.machine.sourceChanged()
        journal.wantedRead = nil
        advance(journal)
    }
}
