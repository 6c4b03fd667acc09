internal import Journal
internal import NIOCore
internal import Observability

// How a link measures what its peer lacks, and lets the peer know.
extension MirrorLink {
    /// Counts what the peer has and lacks. Journals that stand still are asked for like those that are not read to
    /// their end.
    func measureBacklog(in session: Session) async throws {
        let known = journals.values.filter(\.isMeasured)
        let asked = known.filter { !$0.isAtEnd }
        var added: [JournalName: UInt64] = [:]
        for journal in known where journal.isAtEnd { added[journal.name] = journal.passed }
        let answers = asked.isEmpty ? [] : try await session.source.entriesAdded(to: asked.map(\.name)).get()
        guard self.session === session else { return }
        for (journal, count) in zip(asked, answers) { added[journal.name] = count ?? 0 }
        var backlog = PeerBacklog()
        if !hasAll { backlog.addUnknown(.voice) }
        for (name, journal) in journals {
            if journal.isMeasured, let count = added[name] {
                backlog.add(name.topic, copied: journal.copied, missed: journal.missed, added: count)
            } else {
                backlog.addUnknown(name.topic)
            }
        }
        self.backlog = backlog
        for topic in PeerBacklog.topics { report.backlog(backlog.lacking(topic), topic: topic) }
        report.inflightBytes.set(bytesInFlight)
    }

    /// What the peer can reckon with; nil while that is not known of every journal.
    private var heartbeat: Heartbeat? {
        guard let voice = backlog?.entries(.voice), let provisioning = backlog?.entries(.provisioning) else {
            return nil
        }
        return Heartbeat(peer: settings.peer, voice: voice, provisioning: provisioning)
    }

    /// Lag is what a probe takes from being written here until the peer has it, by this worker's clock alone. While one
    /// is overdue, lag is at least its age. A server that takes no probe, for want of memory say, may still be read.
    ///
    /// The peer takes what a probe says of capture as of when it comes. So none says any while they come late.
    func sendProbe(in session: Session) async {
        var arePrompt = true
        if let oldest = probes.first {
            let age = Duration.nanoseconds((NIODeadline.now() - oldest.since).nanoseconds)
            if age > .seconds(1) { report.lag.set(age) }
            arePrompt = age < .seconds(2)
            guard probes.count < 60 else { return }
        }
        let since = NIODeadline.now()
        let id: EntryID
        do {
            id = try await session.source.probe(
                .control(origin: settings.region), to: settings.peer, heartbeat,
                captured: arePrompt ? captured() : nil
            ).get()
        } catch {
            guard self.session === session else { return }
            if probes.isEmpty { report.lag.set(nil as Double?) }
            return report.set(ComponentState("streaming", .degraded, reason: "no probe can be sent: \(error)"))
        }
        guard self.session === session else { return }
        report.set(
            session.refusal.map { ComponentState("streaming", .degraded, reason: "entries are refused: \($0)") }
                ?? ComponentState("streaming", .working))
        let acknowledged = journals[.control(origin: settings.region)]?.machine.acknowledged ?? .zero
        probes.append((id, since))
        if acknowledged >= id { settleProbes(upTo: acknowledged) }
    }

    func settleProbes(upTo id: EntryID) {
        while let probe = probes.first, probe.id <= id {
            probes.removeFirst()
            report.lag.set(Duration.nanoseconds((NIODeadline.now() - probe.since).nanoseconds))
        }
    }
}
