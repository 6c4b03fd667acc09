package import Journal
internal import NIOCore

// How somebody learns that the peer holds what was written here.
extension MirrorLink {
    /// Returns true as soon as the peer holds these journals up to these entries, by its own word since the link is up;
    /// false when the task is cancelled before that. A journal that the link was not told of is not held.
    package func holds(_ entries: [JournalName: EntryID]) async -> Bool {
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
