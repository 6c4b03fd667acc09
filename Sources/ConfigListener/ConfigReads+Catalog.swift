internal import Journal
internal import Observability
internal import Projection
internal import RESP
internal import RESPServer
internal import RegionConfig
internal import Tenants

/// `CFG.TYPES`, `CFG.DESCRIBE` and `CFG.STATE`: what there is to read, and how fresh it is.
extension ConfigReads {
    var typesCommand: Command {
        let all = Reply.array(sortedTypes.map { .text($0) })
        return Command(
            "CFG.TYPES", arity: -1, flags: [.readonly], permission: .read,
            documentation: Command.Documentation(
                "Returns the object types there are, or those of which a tenant has objects.", group: "provisioning",
                complexity: "O(N) of the types", arguments: [.init("tenant", isOptional: true)]),
            handler: .cached({ $0.request.count == 1 ? all : nil }, otherwise: { await types($0) }))
    }

    var describeCommand: Command {
        Command(
            "CFG.DESCRIBE", arity: 2, flags: [.readonly, .fast], permission: .read,
            documentation: Command.Documentation(
                "Returns what an object type is made of and found by.", group: "provisioning",
                arguments: [ReadArgument.type]),
            handler: .immediate { describe($0.request) })
    }

    var stateCommand: Command {
        Command(
            "CFG.STATE", arity: -1, flags: [.readonly], permission: .read,
            documentation: Command.Documentation(
                "Returns how fresh reads are, in all or of a tenant.", group: "provisioning",
                arguments: [.init("tenant", isOptional: true)]),
            handler: .cached(
                { $0.request.count == 1 ? Reply.map(state) : nil }, otherwise: { await tenantState($0) }))
    }

    private var sortedTypes: [String] { catalog.tables.map(\.type).sorted() }

    private func types(_ invocation: Invocation) async -> Reply {
        await answer { (began) async throws(ReplyError) -> Reply in
            guard invocation.request.count == 2 else { throw ReadError.wrongArity("cfg.types") }
            let tenant = try await tenants.tenant(in: invocation.request, at: 1, for: invocation.account)
            let types = sortedTypes
            let counts = types.map { RedisCommand("SCARD", ProjectionKeys.objects(tenant: "\(tenant)", type: $0)) }
            let read = try await read(counts, of: tenant, until: began + .seconds(1))
            let present = zip(types, read.answers).filter { _, count in
                if case .integer(let count) = count { count > 0 } else { false }
            }
            if present.isEmpty { try await confirm(read) }
            return .array(present.map { Reply.text($0.0) })
        }
    }

    private func describe(_ request: Request) -> Reply {
        let word = request.text(1) ?? ""
        guard let table = catalog[type: word] else { return .error(ReadError.noSuchType(word)) }
        let indexes = table.indexes.map { index in
            Reply.map(["field": .text(index.field), "unique": .boolean(index.unique)])
        }
        return .map([
            "type": .text(table.type), "table": .text(table.table.description),
            "key": .array(table.key.map { .text($0) }), "tenant": .text(table.tenant), "indexes": .array(indexes),
            "omitted": .array(table.omit.map { .text($0) }),
        ])
    }

    /// How fresh reads are. Of the position nothing is said while it is not known.
    private var state: [Reply.Pair] {
        let position = progress.completed.flatMap { $0 > .zero ? $0 : nil }
        let freshness = freshness.now(isProjected: position != nil)
        let staleSince = freshness.staleSince.map { $0.nanoseconds / 1_000_000_000 }
        return [
            Reply.Pair(.text("region"), .text(freshness.region)),
            Reply.Pair(.text("position"), .textOrNull(position?.description)),
            Reply.Pair(.text("history"), .integerOrNull(position.map { Int64(clamping: $0.history) })),
            Reply.Pair(.text("state"), .text(freshness.state)),
            Reply.Pair(.text("reason"), .textOrNull(freshness.reason)),
            Reply.Pair(.text("postgres"), .text(freshness.postgres)),
            Reply.Pair(.text("secondsBehind"), .integerOrNull(freshness.secondsBehind)),
            Reply.Pair(.text("staleSince"), .integerOrNull(staleSince)),
        ]
    }

    /// With the tenant's dbid, and the position of the last transaction that changed anything of it.
    private func tenantState(_ invocation: Invocation) async -> Reply {
        await answer { (_) async throws(ReplyError) -> Reply in
            guard invocation.request.count == 2 else { throw ReadError.wrongArity("cfg.state") }
            let tenant = try await tenants.tenant(in: invocation.request, at: 1, for: invocation.account)
            let changed = try? await session().read([], of: tenant).position
            return .map(
                state + [
                    Reply.Pair(.text("tenant"), .integer(tenant)),
                    Reply.Pair(.text("changed"), .textOrNull(changed?.description)),
                ])
        }
    }
}

extension Reply {
    fileprivate static func textOrNull(_ text: String?) -> Reply { text.map { Reply.text($0) } ?? .null }

    fileprivate static func integerOrNull(_ number: Int64?) -> Reply { number.map { Reply.integer($0) } ?? .null }
}
