internal import Journal
internal import RESP
internal import VoiceEvents

// What regions restate of their calls and agents (journal.md, mirror rule 4).
//
// Where nothing is missing a restated record is what is known already, so that it changes nothing. Where something is
// missing, what is known may come from half of what happened: there the owner's word counts.
extension VoiceFold {
    /// Takes over what the owner says of a record; false where that changes nothing.
    func apply(
        _ told: Restatement, _ journal: JournalName, replacing: Bool, _ now: inout [VoiceRecordName: VoiceRecord]
    ) -> Bool {
        let (tenant, origin) = (journal.tenant, journal.origin)
        switch told {
        case .end: return false
        case .call(let call):
            let name = VoiceRecordName(tenant: tenant, kind: .call, id: call.connID)
            if case .call(let known) = now[name] ?? records[name] {
                guard replacing, known != call, known.region == origin, !known.wasOrphaned else { return false }
            }
            now[name] = .call(call)
        case .agent(let told):
            let name = VoiceRecordName(tenant: tenant, kind: .agent, id: told.agentID)
            var agent = AgentMachine(agentID: told.agentID)
            if case .agent(let known) = now[name] ?? records[name] { agent = known }
            guard replacing || !agent.isKnown(in: origin) else { return false }
            let before = agent
            agent.restated(told, in: origin)
            guard agent != before else { return false }
            now[name] = .agent(agent)
        }
        return true
    }

    /// Looks what is noted of the copies' beginnings, when everything read is in the server's state.
    package mutating func lookForGaps(in store: any ProjectionStore) async throws(StoreFailure) {
        let journals = copies
        let answers = await store.run(
            journals.flatMap { journal in
                [
                    RedisCommand("HGET", journal.metaKey, CopyGap.field(in: region)),
                    RedisCommand(
                        "HGET", ProjectionKeys.cursors(tenant: journal.tenant),
                        ProjectionKeys.restated(origin: journal.origin)),
                ]
            })
        guard answers.count == 2 * journals.count else { return }
        for (index, journal) in journals.enumerated() {
            let restated = try answers[2 * index + 1].get().text.flatMap { EntryID($0) }
            switch answers[2 * index] {
            case .success(let gap): found(gap.text.flatMap { CopyGap($0) }, restated: restated, of: journal)
            case .failure(.server): found(nil, restated: restated, of: journal)  // the mirror says what it thinks of it
            case .failure(let failure): throw failure
            }
        }
    }
}

extension Wholeness {
    var isLacking: Bool { if case .lacking = self { true } else { false } }
}
