internal import CrashPoints
internal import Journal
internal import NIOCore
internal import Observability

// How a copy that does not continue its journal is mended, and who is told.
extension MirrorLink {
    /// Mends journals one after the other while the session lasts.
    func repairJournals() async {
        guard let session else { return }
        for await name in session.repairs {
            guard self.session === session, let journal = journals[name], var repair = journal.repair else { continue }
            journal.repair = nil
            do throws(Refusal) {
                try await perform(&repair, of: name, in: session)
                guard self.session === session else { return }
                journal.machine.repaired()
            } catch {
                guard self.session === session else { return }
                refused(journal, error)
            }
            advance(journal)
        }
    }

    private func perform(
        _ repair: inout CopyRepair, of name: JournalName, in session: Session
    ) async throws(Refusal) {
        let (source, target) = (session.source, session.target)
        var piece: EntryBatch?
        var entryBytes = settings.readBytes / 8
        while let action = repair.nextAction() {
            switch action {
            case .findInSource(let id): repair.sourceHolds(try await source.newest(of: name, through: id).refusing())
            case .findInCopy(let id): repair.copyHolds(try await target.newest(of: name, through: id).refusing())
            case .adopt(let adoption):
                try await outcome(of: target.adopt(name, adoption), sent: .mirrorAdoptionSent, done: .mirrorAdopted)
                repair.adopted()
            case .readTail(let id):
                let count = min(1000, max(1, settings.readBytes / entryBytes))
                piece = try await target.tail(of: name, behind: id, count: count).refusing()
                if let piece {
                    CrashPoint.mirrorTailRead.pass()
                    entryBytes = max(entryBytes / 4, piece.byteCount / max(piece.count, 1), 1)
                }
                repair.tailRead(through: piece?.last)
            case .heal(let healing):
                let step = source.heal(name, with: healing, entries: piece)
                repair.healed(upTo: try await outcome(of: step, sent: .mirrorHealSent, done: .mirrorHealed))
                if let piece { report.healed(piece.count, of: name) }
                if healing.gap > 0, healing.behind > .zero { report.lost(healing.gap, of: name, cause: "tail-lost") }
            case .rebear(let rebirth):
                let step = source.rebear(name, rebirth, peer: settings.peer)
                repair.reborn(try await outcome(of: step, sent: .mirrorRebirthSent, done: .mirrorReborn))
            case .fork(let fork, let birth):
                let step = target.fork(name, fork, birth: birth)
                try await outcome(of: step, sent: .mirrorForkSent, done: .mirrorForked)
                repair.forked()
            }
        }
    }

    /// The answer to a step that is on its way.
    private func outcome<Answer: Sendable>(
        of step: EventLoopFuture<Answer>, sent: CrashPoint, done: CrashPoint
    ) async throws(Refusal) -> Answer {
        sent.pass()
        let answer = try await step.refusing()
        done.pass()
        return answer
    }

    /// Tells once of a copy that was set aside, whoever did it: the one who did may not have lived to hear of it.
    func tell(of closed: ClosedCopy?, before journal: MirroredJournal, in session: Session) {
        report.show(closed, before: journal.name)
        guard let closed, !closed.isTold, journal.toldCopy != closed else { return }
        journal.toldCopy = closed
        report.forked(journal.name, closed)
        session.target.told(of: closed, of: journal.name)
        CrashPoint.mirrorForkTold.pass()
    }

    /// The alarm of a fork ends when its closed copy was deleted.
    func lookAtClosed(in session: Session) async throws {
        let copies = report.closedCopies
        guard !copies.isEmpty else { return }
        let gone = try await session.target.forgetGone(copies).get()
        guard self.session === session else { return }
        for name in gone where report.closedCopies[name] == copies[name] { report.show(nil, before: name) }
    }
}

extension Refusal {
    /// What a failed question means.
    init(error: any Error) { self = error as? Refusal ?? .unavailable("\(error)") }
}

extension EventLoopFuture where Value: Sendable {
    /// The value, or why there is none.
    fileprivate func refusing(isolation: isolated (any Actor)? = #isolation) async throws(Refusal) -> Value {
        do { return try await value(isolation: isolation) } catch { throw Refusal(error: error) }
    }
}
