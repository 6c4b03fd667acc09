internal import CrashPoints
internal import Journal
internal import NIOCore
internal import Observability

// How batches travel: from a group's read to the peer's acknowledgement.
extension MirrorLink {
    /// Reads for one group of journals while the session lasts.
    func serve(group index: Int) async {
        guard let session else { return }
        let group = groups[index]
        do throws(Refusal) {
            while self.session === session, !Task.isCancelled {
                let reader = try await session.source.reader(
                    named: "\(settings.peer):\(index)", replyBytes: settings.replyBytes)
                group.reader = reader
                defer {
                    group.reader = nil
                    reader.close()
                }
                try await serve(group, through: reader, in: session)
            }
        } catch {
            session.failed(error)
            session.source.close()
        }
    }

    /// Reads until the session ends, or another reader is needed. Throws what no other reader would mend.
    private func serve(
        _ group: ReadGroup, through reader: any JournalReader, in session: Session
    ) async throws(Refusal) {
        while self.session === session, !Task.isCancelled {
            let (cursors, count, isWhole) = takeReads(of: group)
            guard !cursors.isEmpty else {
                await group.wait()
                continue
            }
            group.isReading = true
            let blockTime = isWhole ? settings.blockTime : .zero
            let reading = reader.read(cursors, count: count, blockTime: blockTime)
            let answer: MarkedReads
            do {
                answer = try await reading.value()
                group.isReading = false
            } catch {
                group.isReading = false
                guard self.session === session else { return }
                guard case Refusal.unexpected(let detail) = error else {
                    throw error as? Refusal ?? .unavailable("\(error)")
                }
                return refused(cursors, count: count, detail, of: group)
            }
            guard self.session === session else { return }
            guard answer.mark == session.mark else {
                report.sourceChanged()
                throw .unavailable("the local Redis has another history than before")
            }
            accept(answer.reads, asked: cursors, count: count, of: group)
            await self.count(group, through: reader, in: session)
            await gather(group, in: session)
        }
    }

    /// A read was answered with what it cannot be used for: more than one answer may have, or an error. Asked for less,
    /// and then for one journal at a time, it shows which journal that is.
    private func refused(_ cursors: [JournalCursor], count: Int, _ detail: String, of group: ReadGroup) {
        let isNarrowest = cursors.count == 1 && count == 1
        if !isNarrowest { group.entryBytes = min(group.entryBytes * 32, settings.replyBytes) }
        for cursor in cursors {
            guard let journal = journals[cursor.journal] else { continue }
            journal.machine.readFailed(after: cursor.last)
            if isNarrowest {
                report.stopped(journal.name, .refused, detail: detail)
                journal.machine.refused(.unexpected(detail))
            }
            advance(journal)
        }
    }

    /// The reads that the group's machines ask for, and how many entries each may give: a wake's memory is bounded. Not
    /// whole when there are more journals than that allows; they take turns.
    private func takeReads(of group: ReadGroup) -> (cursors: [JournalCursor], count: Int, isWhole: Bool) {
        guard bytesInFlight < settings.windowBytes else { return ([], 0, true) }
        let most = max(1, settings.windowBytes / group.entryBytes)
        var cursors: [JournalCursor] = []
        for offset in group.journals.indices {
            let index = (group.turn + offset) % group.journals.count
            let journal = group.journals[index]
            guard let after = journal.wantedRead else { continue }
            guard cursors.count < most else {
                group.turn = index
                return (cursors, 1, false)
            }
            journal.wantedRead = nil
            cursors.append(JournalCursor(journal.name, behind: after))
        }
        let share = settings.readBytes / group.entryBytes / max(cursors.count, 1)
        return (cursors, min(settings.batchEntries, max(share, 1)), true)
    }

    private func accept(_ reads: [JournalRead], asked cursors: [JournalCursor], count: Int, of group: ReadGroup) {
        var found: [JournalName: EntryBatch] = [:]
        for read in reads { found[read.journal] = read.batch }
        var entryBytes = group.entryBytes / 4
        for cursor in cursors {
            guard let journal = journals[cursor.journal] else { continue }
            if let batch = found[cursor.journal] {
                entryBytes = max(entryBytes, batch.byteCount / max(batch.count, 1))
                accept(batch, of: journal)
                journal.isCaughtUp = batch.count < count
            } else {
                journal.isCaughtUp = true
                // What is on its way may be refused yet.
                let isHeld = journal.machine.acknowledged == cursor.last
                if journal.machine.isStreaming, isHeld { report.resumed(journal.name) }
                journal.machine.readFailed(after: cursor.last)
            }
            advance(journal)
        }
        if !reads.isEmpty { group.entryBytes = max(entryBytes, 1) }
    }

    private func accept(_ batch: EntryBatch, of journal: MirroredJournal) {
        CrashPoint.mirrorRead.pass()
        let before = journal.machine.readCursor
        journal.batch = batch
        journal.machine.sourceRead(
            MirrorMachine.Batch(previous: batch.previous, last: batch.last, byteCount: batch.byteCount))
        guard journal.machine.readCursor != before else { return }
        journal.passed += UInt64(batch.count)
        journal.isUncounted = true
    }

    /// Performs what the journal's machine wants done.
    func advance(_ journal: MirroredJournal) {
        guard let session else { return }
        while let action = journal.machine.nextAction() {
            switch action {
            case .align(let attempt): align(journal, attempt: attempt, in: session)
            case .repair: session.repairNeeded.yield(journal.name)
            case .read(let after):
                journal.wantedRead = after
                wake(journal)
            case .append(let unit):
                if let batch = journal.batch { append(batch, as: unit, of: journal, in: session) }
                journal.batch = nil
            case .stop(let divergence):
                if divergence != .refused { report.stopped(journal.name, divergence, detail: nil) }
            }
        }
    }

    /// Lets the journal's group take a read that has come up.
    private func wake(_ journal: MirroredJournal) {
        let group = groups[journal.group]
        if group.isReading, let reader = group.reader {
            session?.source.interrupt(reader)
        } else {
            group.wake()
        }
    }

    private func append(
        _ batch: EntryBatch, as unit: MirrorMachine.Batch, of journal: MirroredJournal, in session: Session
    ) {
        let name = journal.name
        let count = batch.count
        let since = NIODeadline.now()
        let number = session.number
        bytesInFlight += unit.byteCount
        report.sentBytes.add(unit.byteCount)
        session.target.append(batch, to: name, birth: journal.birth).whenComplete { result in
            self.assumeIsolated { link in
                link.settled(result, unit, count: count, since: since, of: name, in: number)
            }
        }
        CrashPoint.mirrorSent.pass()
    }

    private func settled(
        _ result: Result<EntryID, any Error>, _ unit: MirrorMachine.Batch, count: Int, since: NIODeadline,
        of name: JournalName, in number: Int
    ) {
        guard let session, session.number == number, let journal = journals[name] else { return }
        let wasFull = bytesInFlight >= settings.windowBytes
        bytesInFlight -= unit.byteCount
        switch result {
        case .success:
            CrashPoint.mirrorAcknowledged.pass()
            session.refusal = nil
            journal.machine.appended(unit)
            tellWaiting(of: journal)
            report.resumed(name)
            journal.copied += UInt64(count)
            report.appended(count, topic: name.topic)
            report.latency.observe(Duration.nanoseconds((NIODeadline.now() - since).nanoseconds), count: count)
            if name.topic == .control { settleProbes(upTo: unit.last) }
        case .failure(let error):
            let refusal = error as? Refusal ?? .unavailable("\(error)")
            report.refused(name, refusal)
            if case .unexpected(let detail) = refusal { report.stopped(name, .refused, detail: detail) }
            if case .unavailable(let reason) = refusal { session.refusal = reason }
            if refusal == .fenced { journal.wasFenced = true }
            journal.machine.refused(unit, refusal)
        }
        advance(journal)
        if wasFull, bytesInFlight < settings.windowBytes {
            for group in groups where !group.isReading { group.wake() }
        }
    }
}

extension EventLoopFuture where Value: Sendable {
    /// Waits without leaving the caller's actor; `get()` would cross the global executor once an answer.
    func value(isolation: isolated (any Actor)? = #isolation) async throws -> Value {
        try await withCheckedThrowingContinuation(isolation: isolation) { continuation in
            whenComplete { continuation.resume(with: $0) }
        }
    }
}
