internal import Journal
internal import Projection
internal import RESP
internal import RESPServer
internal import RegionConfig

/// `CFG.FIND` and `CFG.LIST`: which objects there are.
extension ConfigReads {
    var findCommand: Command {
        Command(
            "CFG.FIND", arity: -5, flags: [.readonly], permission: .read,
            documentation: Command.Documentation(
                "Returns the ids of the objects whose indexed field has a value.", group: "provisioning",
                complexity: "O(N log N) of the ids returned",
                arguments: [
                    ReadArgument.tenant, ReadArgument.type, .init("field"), .init("value"), ReadArgument.token,
                    ReadArgument.timeout,
                ]),
            handler: .asynchronous { await find($0) })
    }

    var listCommand: Command {
        Command(
            "CFG.LIST", arity: -3, flags: [.readonly], permission: .read,
            documentation: Command.Documentation(
                "Returns ids of all objects of a type, a page a call, and the position since which to watch for changes.",
                group: "provisioning", complexity: "O(N) of the ids returned",
                arguments: [
                    ReadArgument.tenant, ReadArgument.type, .init("cursor", token: "CURSOR", isOptional: true),
                    .init("count", .integer, token: "COUNT", isOptional: true), ReadArgument.token,
                    ReadArgument.timeout,
                ]),
            handler: .asynchronous { await list($0) })
    }

    private func find(_ invocation: Invocation) async -> Reply {
        await answer { (began) async throws(ReplyError) -> Reply in
            let request = invocation.request
            let options = try ReadOptions(request, behind: 5)
            guard options.start == 5 else { throw ReadError.syntax }
            let type = try type(request, at: 2)
            let index = try index(request.text(3) ?? "", of: type)
            let deadline = began + options.patience
            let tenant = try await tenant(invocation, options, until: deadline)
            guard let value = request.validText(4) else { return .array([]) }
            // Of a set that is no larger than asked for SRANDMEMBER gives all, each once.
            let command =
                index.unique
                ? RedisCommand(
                    "HGET", ProjectionKeys.index(tenant: "\(tenant)", type: type, field: index.field), value)
                : RedisCommand(
                    "SRANDMEMBER",
                    ProjectionKeys.index(tenant: "\(tenant)", type: type, field: index.field, value: value),
                    "\(Self.foundLimit + 1)")
            let read = try await read([command], of: tenant, until: deadline)
            let answer = read.answers[0]
            let ids = index.unique ? [answer.text].compactMap(\.self) : answer.elements.compactMap(\.text)
            if ids.isEmpty { try await confirm(read) }
            guard ids.count <= Self.foundLimit else { throw ReadError.tooManyFound }
            return .array(Self.sorted(ids).map { .text($0) })
        }
    }

    private func index(_ field: String, of type: String) throws(ReplyError) -> CatalogIndex {
        let indexes = catalog[type: type]?.indexes ?? []
        guard let index = indexes.first(where: { $0.field == field }) else {
            throw ReadError.notIndexed(indexes.map(\.field), type: type)
        }
        return index
    }

    private func list(_ invocation: Invocation) async -> Reply {
        await answer { (began) async throws(ReplyError) -> Reply in
            let request = invocation.request
            let options = try ReadOptions(request, behind: 3, isPaged: true)
            guard options.start == 3 else { throw ReadError.syntax }
            let type = try type(request, at: 2)
            let deadline = began + options.patience
            let tenant = try await tenant(invocation, options, until: deadline)
            return try await whole(until: deadline) { () async throws(ReplyError) -> Reply? in
                try await page(type, of: tenant, options)
            }
        }
    }

    /// One step of a walk over all ids of a type, which gives those at least once that are there from its first page to its
    /// last; nil for another attempt: a transaction is half there, or Redis was emptied while the first page was read.
    private func page(_ type: String, of tenant: Int64, _ options: ReadOptions) async throws(ReplyError) -> Reply? {
        let life = cache.memory.life
        let session = try session()
        let name = "\(session.serverRun)\(String(life, radix: 36))"
        let cursor = options.cursor
        if let cursor, cursor.life != name { throw ReadError.oldCursor }
        // Read before the ids: what is behind it may be among them already, what is not behind it is.
        var trailing: Position?
        if cursor == nil { trailing = try await session.trailingPosition() }
        let scan = RedisCommand(
            "SSCAN", ProjectionKeys.objects(tenant: "\(tenant)", type: type), "\(cursor?.scan ?? 0)", "COUNT",
            "\(options.count)")
        let read = try await session.read([scan], of: tenant)
        // What was read may be of before Redis was emptied, or of a part that is there again.
        guard cache.memory.life == life else {
            guard cursor == nil else { throw ReadError.oldCursor }
            return nil
        }
        guard read.isWhole else { return nil }
        if cursor == nil, trailing == nil, read.position == nil { throw ReadError.nothingProjected }
        let position = cursor?.position ?? max(trailing ?? .zero, read.position ?? .zero)
        let step = read.answers[0].elements
        let next = step.first?.text.flatMap { UInt64($0) } ?? 0
        let ids = step.count == 2 ? step[1].elements.compactMap(\.text) : []
        let following = ListCursor(position: position, life: name, scan: next)
        return Reply.map([
            "position": .text(position.description),
            "cursor": .text(next == 0 ? ListCursor.end : following.description),
            "ids": .array(Self.sorted(ids).map { .text($0) }),
        ])
    }

    /// Numbers by their size, before all else by its bytes.
    static func sorted(_ ids: [String]) -> [String] {
        ids.map { (number: Int64($0), id: $0) }
            .sorted { left, right in
                switch (left.number, right.number) {
                case (let one?, let other?) where one != other: one < other
                case (nil, _?): false
                case (_?, nil): true
                default: left.id.utf8.lexicographicallyPrecedes(right.id.utf8)
                }
            }
            .map(\.id)
    }
}
