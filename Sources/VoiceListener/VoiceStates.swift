package import Projection
internal import RESP
package import RESPServer
package import Tenants

/// Calls and agents as they are: what the projection makes of the voice journals of all regions.
package struct VoiceStates: Sendable {
    private let store: any ProjectionStore
    private let tenants: TenantLookup

    /// `store` is the region's Redis; commands should fail while it is away, rather than wait.
    package init(store: any ProjectionStore, tenants: TenantLookup) {
        self.store = store
        self.tenants = tenants
    }

    package var commands: [Command] {
        let tenant = Command.Argument("tenant")
        return [
            record(of: .call, "CALL.GET", "Answers a call's record.", [tenant, Command.Argument("connID")]),
            record(of: .agent, "AGENT.GET", "Answers an agent's record.", [tenant, Command.Argument("agentID")]),
            Command(
                "CALL.LIST", arity: -2, flags: [.readonly], permission: .read,
                documentation: Command.Documentation(
                    "Lists the calls that have not ended, or those of a DN.", group: "call-control",
                    complexity: "O(N) with the calls of the tenant",
                    arguments: [tenant, Command.Argument("dn", token: "DN", isOptional: true)]),
                handler: .asynchronous { await list($0) }),
        ]
    }

    private enum Subject {
        case call
        case agent

        /// The key of the record that the word at `place` names.
        func key(tenant: String, _ words: Request, _ place: Int) throws(ReplyError) -> String {
            switch self {
            case .call:
                ProjectionKeys.call(
                    tenant: tenant, connID: try RequestWords.connID(words, place, RequestForm.Argument.connID.rawValue))
            case .agent:
                ProjectionKeys.agent(
                    tenant: tenant, agentID: try RequestWords.name(words, place, RequestForm.Argument.agentID.rawValue))
            }
        }
    }

    private func record(
        of subject: Subject, _ name: String, _ summary: String, _ arguments: [Command.Argument]
    ) -> Command {
        Command(
            name, arity: 3, flags: [.readonly], permission: .read,
            documentation: Command.Documentation(summary, group: "call-control", arguments: arguments),
            handler: .asynchronous { await get(subject, $0) })
    }

    private func get(_ subject: Subject, _ call: Invocation) async -> Reply {
        do throws(ReplyError) {
            let tenant = try await tenant(of: call)
            let key = try subject.key(tenant: tenant, call.request, 2)
            let answer = try await answers([RedisCommand("HGETALL", key)])
            return Self.record(answer.first?.elements ?? [])
        } catch {
            return .error(error)
        }
    }

    private func list(_ call: Invocation) async -> Reply {
        do throws(ReplyError) {
            let words = call.request
            guard words.count == 2 || words.count == 4 && words.isKeyword(2, "DN") else {
                throw ReplyError("syntax error")
            }
            let dn = words.count == 4 ? try RequestWords.name(words, 3, "DN") : nil
            let tenant = try await tenant(of: call)
            let active = try await answers([RedisCommand("SMEMBERS", ProjectionKeys.activeCalls(tenant: tenant))])
            var calls = active.flatMap(\.elements).compactMap(\.text).sorted()
            if let dn { calls = try await self.calls(calls, of: dn, tenant: tenant) }
            return .array(calls.map { .text($0) })
        } catch {
            return .error(error)
        }
    }

    /// Calls that Redis looks through in one command: others wait meanwhile.
    static let callsPerLook = 1000

    /// The places of those of the keys whose hashes have a field.
    private static let havingField = """
        #!lua flags=no-writes
        local found = {}
        for place, key in ipairs(KEYS) do
            if type(redis.pcall('HGET', key, ARGV[1])) == 'string' then found[#found + 1] = place end
        end
        return found
        """

    /// Those of the calls in which a DN is a party.
    private func calls(_ calls: [String], of dn: String, tenant: String) async throws(ReplyError) -> [String] {
        var found: [String] = []
        for start in stride(from: 0, to: calls.count, by: Self.callsPerLook) {
            let some = Array(calls[start..<min(start + Self.callsPerLook, calls.count)])
            let keys = some.map { ProjectionKeys.call(tenant: tenant, connID: $0) }
            let look = RedisCommand(["EVAL", Self.havingField, "\(keys.count)"] + keys + ["party:\(dn)"])
            for place in try await answers([look]).first?.elements ?? [] {
                guard case .integer(let number) = place, let number = Int(exactly: number) else { continue }
                if (1...some.count).contains(number) { found.append(some[number - 1]) }
            }
        }
        return found
    }

    private func tenant(of call: Invocation) async throws(ReplyError) -> String {
        guard let word = call.request.validText(1) else { throw .noTenant }
        let tenant = try await tenants.tenant(word, for: call.account)
        return "\(tenant)"
    }

    private func answers(_ commands: [RedisCommand]) async throws(ReplyError) -> [StoreReply] {
        do throws(StoreFailure) {
            return try await store.answers(commands)
        } catch {
            throw ReplyError(ofRead: error)
        }
    }

    /// A hash, of which these are the fields and values in turn, as a map; null where there is none.
    private static func record(_ words: [StoreReply]) -> Reply {
        guard !words.isEmpty else { return .nullArray }
        let pairs = stride(from: 0, to: words.count - 1, by: 2).map { place in
            Reply.Pair(value(words[place]), value(words[place + 1]))
        }
        return .map(pairs)
    }

    private static func value(_ answer: StoreReply) -> Reply {
        if case .string(let bytes) = answer { .bulk(bytes) } else { .null }
    }
}
