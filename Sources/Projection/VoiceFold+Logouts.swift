package import Journal
package import RESP
internal import VoiceEvents

// An agent is logged in in one region at a time: where a login elsewhere made a session of this region void, this
// region's worker appends its Logout to its own journal (domain.md, "Agents").
//
// Which sessions those are is state, as the agents' records are: a set names the agents, changed in the same step as
// their records, so that whoever follows the tenant next finds what was left undone. `VoiceFunctions` sees to it that
// each Logout is appended once.
extension VoiceFold {
    /// Logouts for one tenant's journal.
    package struct Logouts: Sendable {
        package let journal: JournalName
        package let command: RedisCommand
        let agents: [VoiceRecordName]
    }

    /// Agents of one call.
    private static let agentsPerCall = 64
    /// Entries behind the cursor up to which a call looks through them; with more it is asked again later.
    private static let unreadEntries = 64

    /// The server's set of superseded agents names these, who may be so no more.
    package mutating func found(superseded agents: [String], of tenant: String) {
        for agent in agents { superseded.insert(VoiceRecordName(tenant: tenant, kind: .agent, id: agent)) }
    }

    /// The Logouts that are due at `time`, µs since 1970, one call a tenant. Calls that fail, and those whose answer does
    /// not settle an agent, are due again.
    package mutating func dueLogouts(at time: Int64) -> [Logouts] {
        var losses: [String: [(name: VoiceRecordName, loss: AgentMachine.Loss)]] = [:]
        for name in superseded {
            if case .agent(let agent) = records[name] {
                if let loss = agent.loss(of: region) {
                    losses[name.tenant, default: []].append((name, loss))
                } else {
                    superseded.remove(name)
                }
            } else if absent.contains(name) {
                superseded.remove(name)
            }
        }
        return losses.map { logouts(of: Array($0.value.prefix(Self.agentsPerCall)), tenant: $0.key, at: time) }
    }

    /// What the server answered to a call of Logouts.
    package mutating func answered(_ logouts: Logouts, _ reply: StoreReply) {
        for (name, answer) in zip(logouts.agents, reply.elements) {
            guard case .integer(let appended) = answer, appended >= 0 else { continue }
            superseded.remove(name)
            counts.logouts += Int(min(appended, 1000))
        }
    }

    private func logouts(
        of losses: [(name: VoiceRecordName, loss: AgentMachine.Loss)], tenant: String, at time: Int64
    ) -> Logouts {
        let journal = JournalName.voice(tenant: tenant, origin: region)
        let keys = [ProjectionKeys.cursors(tenant: tenant), journal.key, journal.metaKey] + losses.map(\.name.key)
        var words = ["FCALL", "rsv1_logout", String(keys.count)] + keys
        words += [ProjectionKeys.voiceCursor(origin: region), String(Self.unreadEntries)]
        for (_, loss) in losses {
            words += [loss.agentID, String(loss.sessions.count)]
            for (session, logout) in zip(loss.sessions, loss.logouts(server: region, time: time)) {
                words += [session.fieldName, session.field, String(decoding: logout.encodedData(), as: UTF8.self)]
            }
        }
        return Logouts(journal: journal, command: RedisCommand(words: words, runs: []), agents: losses.map(\.name))
    }
}
