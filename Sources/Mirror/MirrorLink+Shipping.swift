internal import Journal
internal import NIOCore
internal import Observability

// How batches travel: from a group's read to the peer's acknowledgement.
extension MirrorLink {
    /// Reads for one group of journals while the session lasts.
    func serve(group index: Int) async {
        guard let session else { return }
        let group = groups[index]
        let reader: any JournalReader
        do throws(Refusal) {
            reader = try await session.source.reader(named: "\(settings.peer):\(index)")
        } catch {
            session.source.close()
            return
        }
        group.reader = reader
        while self.session === session, !Task.isCancelled {
            let (cursors, count) = takeReads(of: group)
            guard !cursors.isEmpty else {
                await group.wait()
                continue
            }
            group.isReading = true
            let reading = reader.read(cursors, count: count, blockTime: settings.blockTime)
            let answer = try? await reading.value()
            group.isReading = false
            guard let answer, self.session === session else { break }
            guard answer.mark == session.mark else {
                report.sourceChanged()
                break
            }
            accept(answer.reads, asked: cursors, count: count)
        }
        group.reader = nil
        reader.close()
        if self.session === session { session.source.close() }
    }

    /// The reads that the group's machines ask for, and how many entries each may give: a wake's memory is bounded.
    private func takeReads(of group: ReadGroup) -> (cursors: [JournalCursor], count: Int) {
        guard bytesInFlight < settings.windowBytes else { return ([], 0) }
        var cursors: [JournalCursor] = []
        var entryBytes = 1
        for journal in group.journals {
            guard let after = journal.wantedRead else { continue }
            journal.wantedRead = nil
            cursors.append(JournalCursor(journal: journal.name, after: after))
            entryBytes = max(entryBytes, journal.entryBytes)
        }
        let share = settings.readBytes / entryBytes / max(cursors.count, 1)
        return (cursors, min(settings.batchEntries, max(share, 8)))
    }

    private func accept(_ reads: [JournalRead], asked cursors: [JournalCursor], count: Int) {
        var found: [JournalName: EntryBatch] = [:]
        for read in reads { found[read.journal] = read.batch }
        for cursor in cursors {
            guard let journal = journals[cursor.journal] else { continue }
            if let batch = found[cursor.journal] {
                journal.batch = batch
                journal.isCaughtUp = batch.count < count
                journal.entryBytes = (3 * journal.entryBytes + batch.byteCount / max(batch.count, 1)) / 4
                journal.machine.sourceRead(
                    MirrorMachine.Batch(
                        previous: batch.previous, last: batch.last, byteCount: batch.byteCount))
            } else {
                journal.isCaughtUp = true
                journal.machine.readFailed(after: cursor.after)
            }
            advance(journal)
        }
    }

    /// Performs what the journal's machine wants done.
    func advance(_ journal: MirroredJournal) {
        guard let session else { return }
        while let action = journal.machine.nextAction() {
            switch action {
            case .align(let attempt): align(journal, attempt: attempt, in: session)
            case .read(let after):
                journal.wantedRead = after
                wake(journal)
            case .append(let unit):
                if let batch = journal.batch { append(batch, as: unit, of: journal, in: session) }
                journal.batch = nil
            case .stop(let divergence):
                if divergence != .refused { report.stopped(journal.name, divergence, detail: nil) }
                journal.isReportedStopped = true
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
            journal.machine.appended(unit)
            journal.copied += UInt64(count)
            report.appended(count, topic: name.topic)
            report.latency.observe(Duration.nanoseconds((NIODeadline.now() - since).nanoseconds), count: count)
            if name.topic == .control { settleProbes(upTo: unit.last) }
        case .failure(let error):
            let refusal = error as? Refusal ?? .unavailable("\(error)")
            report.refused(name, refusal)
            if case .unexpected(let detail) = refusal { report.stopped(name, .refused, detail: detail) }
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
    fileprivate func value(isolation: isolated (any Actor)? = #isolation) async throws -> Value {
        try await withCheckedThrowingContinuation(isolation: isolation) { continuation in
            whenComplete { continuation.resume(with: $0) }
        }
    }
}
