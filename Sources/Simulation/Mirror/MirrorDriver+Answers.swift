internal import Journal
internal import Mirror
internal import Projection

// What the driver does with the answers to its questions.
extension MirrorDriver {
    mutating func answered(_ question: Question, _ answer: Answer, now: Int, _ out: inout Outbox) {
        switch (question, answer) {
        case (.mark, .redis(let result)):
            guard let found = SourceState(result) else { return lost(&out) }
            mark = found.birth
            runID = nil
            out.connects.append((.reader, own))
        case (.read(let name, let cursor), .read(let reads, let mark)):
            guard mark == self.mark else { return lost(&out) }
            guard let index = index(of: name) else { return }
            accept(reads.first?.batch, behind: cursor, index, now: now, &out)
        case (.repair(let name), .read(let reads, _)): tailRead(name, reads.first?.batch, &out)
        case (.look(let names), .look(let runID, let births)): looked(names, runID, births, &out)
        // A knock that is refused is none.
        case (.knock(let knock), .redis(let result)): if case .success = result { hearing?.answered(knock) }
        case (.heard, .redis(let result)):
            if let knock = (try? result.get())?.text.flatMap({ Knock(text: $0) }) { hearing?.looked(knock) }
        case (_, .redis(let result)):
            if case .failure(let failure) = result, failure.isElsewhere { return lost(&out) }
            settled(question, result, now: now, &out)
        default: break
        }
    }

    private mutating func settled(
        _ question: Question, _ result: Result<StoreReply, StoreFailure>, now: Int, _ out: inout Outbox
    ) {
        switch question {
        case .born(let name), .open(let name, _), .lineage(let name, _, _):
            align(name, question, result, now: now, &out)
        case .passed(let name, let cursor):
            guard let index = index(of: name) else { return }
            counted(index, behind: cursor, (try? result.get())?.number, &out)
        case .append(let name, let unit, let count):
            guard let index = index(of: name) else { return }
            switch result {
            case .success:
                journals[index].machine.appended(unit)
                journals[index].copied += UInt64(count)
                resumed(name)
            case .failure(let failure):
                let refusal = Refusal(failure)
                if refusal == .fenced { journals[index].wasFenced = true }
                journals[index].machine.refused(unit, refusal)
            }
            advance(index, &out)
        case .repair(let name): repaired(name, result, &out)
        case .mark, .read, .look, .knock, .heard, .nothing: break
        }
    }

    private mutating func accept(
        _ batch: EntryBatch?, behind cursor: EntryID, _ index: Int, now: Int, _ out: inout Outbox
    ) {
        let before = journals[index].machine.readCursor
        if let batch {
            journals[index].batch = batch
            journals[index].machine.sourceRead(
                MirrorMachine.Batch(previous: batch.previous, last: batch.last, byteCount: batch.byteCount))
            if journals[index].machine.readCursor != before {
                journals[index].passed += UInt64(batch.count)
                journals[index].isUncounted = true
            }
        } else {
            journals[index].machine.readFailed(after: cursor)
        }
        // Asked between two reads, so that nothing is on its way.
        let isDue = now >= journals[index].nextCount && journals[index].machine.isStreaming
        if isDue {
            journals[index].nextCount = now + 1000
            journals[index].isCounting = true
            let cursor = journals[index].machine.readCursor
            out.ask(
                .reader, JournalFunctions.passed(journals[index].name, cursor: cursor, limit: 64),
                .mirror(.passed(journals[index].name, behind: cursor)))
        }
        advance(index, &out)
    }

    private mutating func counted(_ index: Int, behind cursor: EntryID, _ count: UInt64?, _ out: inout Outbox) {
        journals[index].isCounting = false
        let journal = journals[index]
        guard let count, journal.machine.isStreaming, journal.machine.readCursor == cursor, count != journal.passed
        else { return read(index, &out) }
        if count > journal.passed {
            let lost = count - journal.passed
            note(missed: journal.missed + lost, index, &out)
            journals[index].passed = count
        }
        reconsider(index, &out)
    }

    /// Keeps in mind, and beside the journal, how many entries this copy will never have.
    mutating func note(missed: UInt64, _ index: Int, _ out: inout Outbox) {
        let journal = journals[index]
        out.ask(
            .local,
            JournalFunctions.note(
                missed: missed, known: journal.missed, by: peer, of: journal.name, birth: journal.birth),
            .mirror(.nothing))
        journals[index].missed = missed
    }
}
