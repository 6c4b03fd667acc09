internal import NIOCore
internal import Projection
internal import RESP
internal import RESPServer
internal import Tenants

/// `CFG.GET`: an object by id.
extension ConfigReads {
    var getCommand: Command {
        let (memory, tenants) = (cache.memory, tenants)
        return Command(
            "CFG.GET", arity: -4, flags: [.readonly, .fast], permission: .read,
            documentation: Command.Documentation(
                "Returns the fields of an object.", group: "provisioning", complexity: "O(N) of the object's fields",
                arguments: [
                    ReadArgument.tenant, ReadArgument.type, .init("id"), ReadArgument.token, ReadArgument.timeout,
                ]),
            handler: .cached(
                { invocation in
                    guard invocation.request.count == 4 else { return nil }
                    return Self.remembered(invocation, memory, tenants)
                }, otherwise: { await get($0) }))
    }

    /// What memory has of the object that a request names. Of a tenant that is not there, or that the account does not see,
    /// nothing: who asks Redis finds out what to say.
    private static func remembered(
        _ invocation: Invocation, _ memory: ObjectMemory, _ tenants: TenantLookup
    ) -> Reply? {
        let request = invocation.request
        guard let tenant = tenants.meant(in: request, at: 1), invocation.account.sees(tenant: tenant) else {
            return nil
        }
        let reply = request.withBytes(2) { type in
            request.withBytes(3) { id in memory.reply(tenant: tenant, type: type, id: id) }
        }
        // What was not there does not go with its tenant, as objects do.
        if case .null? = reply, tenants.known(in: request, at: 1) == nil { return nil }
        return reply
    }

    private func get(_ invocation: Invocation) async -> Reply {
        await answer { (began) async throws(ReplyError) -> Reply in
            let request = invocation.request
            let options = try ReadOptions(request, behind: 4)
            guard options.start == 4 else { throw ReadError.syntax }
            let type = try type(request, at: 2)
            let deadline = began + options.patience
            let tenant = try await tenant(invocation, options, until: deadline)
            if request.count > 4, options.token == nil,
                let reply = Self.remembered(invocation, cache.memory, tenants)
            {
                return reply
            }
            guard let id = Self.id(request, at: 3) else { return .null }
            return try await whole(until: deadline) { () async throws(ReplyError) -> Reply? in
                try await fetch(type, id, of: tenant)
            }
        }
    }

    /// Reads an object and remembers it; nil while a transaction is half there.
    private func fetch(_ type: String, _ id: String, of tenant: Int64) async throws(ReplyError) -> Reply? {
        // Before the session is asked for: see `TrackedCache.session`.
        let fill = cache.memory.beginFill(of: ObjectAddress(tenant: tenant, type: type, id: id))
        do throws(ReplyError) {
            let key = ProjectionKeys.object(tenant: "\(tenant)", type: type, id: id)
            let read = try await session().read([RedisCommand("HGETALL", key)], of: tenant, isTracked: true)
            guard read.isWhole else {
                cache.memory.abandon(fill)
                return nil
            }
            let fields = read.answers[0].strings
            if fields.isEmpty { try await confirm(read) }
            let reply = fields.isEmpty ? Reply.null : .fields(fields)
            cache.memory.finish(fill, with: reply, size: fields.buffer.capacity)
            return reply
        } catch {
            cache.memory.abandon(fill)
            throw error
        }
    }

    /// The ID that a word is; nil where no object can have it.
    static func id(_ request: Request, at index: Int) -> String? {
        guard let id = request.validText(index) else { return nil }
        // The keys of indexes stand where objects of such IDs would.
        return id.hasPrefix("by:") ? nil : id
    }
}
