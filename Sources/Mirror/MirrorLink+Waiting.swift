package import Journal
internal import NIOCore

// How somebody learns that the peer holds what was written here.
extension MirrorLink {
    /// Returns true as soon as the peer holds these journals up to these entries, by its own word since the link is up;
    /// false when the task is cancelled before that, or one of the entries is found to have left its journal before the
    /// peer had it. A journal that the link was not told of is not held.
    package func holds(_ entries: [JournalName: EntryID]) async -> Bool {
        guard !entries.contains(where: { journals[$0]?.gaps.contain($1) ?? false }) else { return false }
        let lacking = entries.filter { !isHeld($0, upTo: $1) }
        guard !lacking.isEmpty else { return true }
        waitCount += 1
        let wait = waitCount
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // What is cancelled from here on gives up behind this, on the same loop.
                guard !Task.isCancelled else { return continuation.resume(returning: false) }
                awaited.began(wait, for: lacking)
                waiting[wait] = continuation
                stopGathering()
            }
        } onCancel: {
            eventLoop.execute { self.assumeIsolated { $0.gaveUp(wait) } }
        }
    }

    /// Whether it was counted that these entries, which the peer holds unless they left their journals before, did not.
    package func areWhole(upTo entries: [JournalName: EntryID]) -> Bool {
        entries.allSatisfy { name, entry in
            guard session != nil, let journal = journals[name], journal.machine.isStreaming else { return false }
            return journal.compared >= entry && !journal.gaps.contain(entry)
        }
    }

    /// Where the link is down, or both ends are being compared, the peer may have lost what it once said to have.
    private func isHeld(_ name: JournalName, upTo entry: EntryID) -> Bool {
        guard session != nil, let journal = journals[name], journal.machine.isStreaming else { return false }
        return journal.machine.acknowledged >= entry
    }

    /// The peer has said of a journal how far it holds it.
    func tellWaiting(of journal: MirroredJournal) {
        guard !awaited.isEmpty else { return }
        for wait in awaited.acknowledged(journal.name, upTo: journal.machine.acknowledged) {
            waiting.removeValue(forKey: wait)?.resume(returning: true)
        }
    }

    /// Keeps in mind where the copy lacks what it was found to lack just now.
    func compared(
        _ journal: MirroredJournal, _ resumption: Resumption, _ copy: CopyState, _ source: SourceState
    ) {
        let cursor = resumption.cursor
        // Before it was aligned first by this link, nobody waits for anything that the copy has.
        let behind = journal.wasAligned ? min(journal.compared, cursor) : cursor
        if journal.isGapOpen || journal.passed - copy.count > source.missed ?? 0 {
            // Who deletes entries otherwise than by trimming leaves no trace of which.
            let end = source.found == nil ? source.generated : cursor
            foundGap(in: journal, behind: behind, through: source.floor > behind ? source.floor : end)
            journal.isGapOpen = false
        }
        journal.compared = source.passed == nil ? behind : cursor
    }

    /// Some of the entries behind one and through another left the journal before the peer had them.
    private func foundGap(in journal: MirroredJournal, behind: EntryID, through: EntryID) {
        journal.gaps.found(behind: behind, through: through)
        for wait in awaited.lost(journal.name, behind: behind, through: through) {
            waiting.removeValue(forKey: wait)?.resume(returning: false)
        }
    }

    private func gaveUp(_ wait: Int) {
        guard awaited.gaveUp(wait) else { return }
        waiting.removeValue(forKey: wait)?.resume(returning: false)
    }

    /// Lets entries gather before a group is read again, where that is worth it (`Gathering`) and nobody waits for them.
    func gather(_ group: ReadGroup, in session: Session) async {
        let pause = session.gathering.pause
        guard pause > .zero, awaited.isEmpty, group.journals.allSatisfy(\.isCaughtUp) else { return }
        let gathering = NIOLoopBound(group, eventLoop: eventLoop)
        let end = eventLoop.scheduleTask(in: TimeAmount(pause)) { gathering.value.wake() }
        group.isGathering = true
        await group.wait()
        group.isGathering = false
        end.cancel()
    }

    private func stopGathering() {
        for group in groups where group.isGathering { group.wake() }
    }
}
