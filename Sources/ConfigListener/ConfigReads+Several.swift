internal import Journal
internal import Projection
internal import RESP
internal import RESPServer

/// `CFG.MGET`: several objects by id, as they are at one instant. Reads of more than one slice take turns.
extension ConfigReads {
    /// Ids of one `CFG.MGET`.
    static let idLimit = 500
    /// Objects that are read together, whose size is not known.
    static let sliceObjects = 25
    /// Bytes that those of one reply may have.
    static let severalBytes = 16 << 20

    var mgetCommand: Command {
        Command(
            "CFG.MGET", arity: -4, flags: [.readonly], permission: .read,
            documentation: Command.Documentation(
                "Returns the fields of several objects, as they are at one instant.", group: "provisioning",
                complexity: "O(N) of the objects' fields",
                arguments: [
                    ReadArgument.tenant, ReadArgument.type, .init("id", isMultiple: true), ReadArgument.token,
                    ReadArgument.timeout,
                ]),
            handler: .asynchronous { await mget($0) })
    }

    private func mget(_ invocation: Invocation) async -> Reply {
        await answer { (began) async throws(ReplyError) -> Reply in
            let request = invocation.request
            let options = try ReadOptions(request, behind: 4)
            guard options.start - 3 <= Self.idLimit else { throw ReadError.tooManyIDs }
            let type = try type(request, at: 2)
            let deadline = began + options.patience
            let tenant = try await tenant(invocation, options, until: deadline)
            let ids = (3..<options.start).map { Self.id(request, at: $0) }
            let wanted = Set(ids.compactMap(\.self))
            let isLarge = wanted.count > Self.sliceObjects
            // Who waits for the rest of a transaction has no turn: that may take long, and others read of other tenants.
            let found = try await whole(until: deadline) { () async throws(ReplyError) -> [String: BulkStrings]? in
                if isLarge { guard await turns.take(until: deadline) else { throw ReadError.noTurn } }
                defer { if isLarge { turns.pass() } }
                return try await objects(type, wanted, of: tenant)
            }
            let replies = ids.map { id in id.flatMap { found[$0] } }
            // As often as it is asked for an object stands in the reply.
            try Self.limit(replies.compactMap(\.self))
            return .array(replies.map { fields in fields.map { Reply.fields($0) } ?? .null })
        }
    }

    /// Those of the objects that are there; nil while a transaction is half there.
    ///
    /// They are read a slice at a time: one reply that is too large ends the session, and everybody's reads with it. Where
    /// the tenant changed between slices all are read again, together: how large they are is known by then.
    private func objects(
        _ type: String, _ ids: Set<String>, of tenant: Int64
    ) async throws(ReplyError) -> [String: BulkStrings]? {
        let ids = Array(ids)
        var found: [String: BulkStrings] = [:]
        var positions: Set<Position?> = []
        var last: TenantRead
        var start = 0
        repeat {
            let slice = ids[start..<min(start + Self.sliceObjects, ids.count)]
            guard let read = try await take(slice, type, of: tenant, into: &found) else { return nil }
            last = read
            positions.insert(read.position)
            start += Self.sliceObjects
        } while start < ids.count
        if positions.count > 1 {
            found = [:]
            guard let read = try await take(ids[...], type, of: tenant, into: &found) else { return nil }
            last = read
        }
        if found.count < ids.count || ids.isEmpty { try await confirm(last) }
        return found
    }

    /// Reads objects at one instant and adds those that are there; nil while a transaction is half there.
    private func take(
        _ ids: ArraySlice<String>, _ type: String, of tenant: Int64, into found: inout [String: BulkStrings]
    ) async throws(ReplyError) -> TenantRead? {
        let commands = ids.map { id in
            RedisCommand("HGETALL", ProjectionKeys.object(tenant: "\(tenant)", type: type, id: id))
        }
        let read = try await session().read(commands, of: tenant)
        guard read.isWhole else { return nil }
        for (id, answer) in zip(ids, read.answers) {
            let fields = answer.strings
            if !fields.isEmpty { found[id] = fields }
        }
        try Self.limit(found.values)
        return read
    }

    private static func limit(_ objects: some Sequence<BulkStrings>) throws(ReplyError) {
        guard objects.reduce(0, { $0 + $1.byteCount }) <= severalBytes else { throw ReadError.tooLarge }
    }
}
