internal import Journal
internal import RESP
package import RESPServer
package import RegionConfig
package import Tenants

/// The commands of the provisioning port that follow changes: watches, and looks at what they would have told.
package struct ConfigWatches: Sendable {
    private let feed: ProvisioningFeed
    private let tenants: TenantLookup
    private let types: Set<String>

    /// `feed` has to be run.
    package init(feed: ProvisioningFeed, tenants: TenantLookup, catalog: Catalog) {
        self.feed = feed
        self.tenants = tenants
        types = Set(catalog.tables.map(\.type))
    }

    package var commands: [Command] {
        [
            Command(
                "CFG.WATCH", arity: -2, flags: [.readonly, .noMulti], permission: .read,
                documentation: Command.Documentation(
                    "Pushes changes of a tenant's objects as they become visible, from now on or from a position.",
                    group: "provisioning", complexity: "O(1) for each change",
                    arguments: [
                        ReadArgument.tenant, Command.Argument("type", isOptional: true, isMultiple: true),
                        Command.Argument("position", token: "FROM", isOptional: true),
                    ]),
                handler: .deferred { watch($0, $1) }),
            Command(
                "CFG.UNWATCH", arity: 2, flags: [.readonly, .fast, .noMulti], permission: .read,
                documentation: Command.Documentation(
                    "Ends a watch.", group: "provisioning", arguments: [Command.Argument("watch", .integer)]),
                handler: .deferred { unwatch($0, $1) }),
            Command(
                "CFG.HISTORY", arity: -6, flags: [.readonly], permission: .read,
                documentation: Command.Documentation(
                    "Returns changes of a tenant's objects behind a position, and where to go on.",
                    group: "provisioning", complexity: "O(N) with the changes of all tenants that are looked at",
                    arguments: [
                        ReadArgument.tenant, Command.Argument("position", token: "FROM"),
                        Command.Argument("type", token: "TYPE", isOptional: true),
                        Command.Argument("count", .integer, token: "COUNT"),
                    ]),
                handler: .asynchronous { await history($0) }),
        ]
    }

    private func watch(_ invocation: Invocation, _ pending: PendingReply) {
        let (request, client, account) = (invocation.request, invocation.client, invocation.account)
        do throws(ReplyError) {
            guard invocation.version == .three else { throw WatchError.needsPushes }
            let wanted = try watched(request)
            let isAdded = feed.add {
                do throws(ReplyError) {
                    let tenant = try await tenants.tenant(in: request, at: 1, for: account)
                    await feed.watch(tenant, types: wanted.types, from: wanted.from, for: client, pending)
                } catch {
                    pending.answer(.error(error))
                }
            }
            if !isAdded { pending.answer(.error(.closing)) }
        } catch {
            pending.answer(.error(error))
        }
    }

    /// `[type ...] [FROM position]`.
    private func watched(_ request: Request) throws(ReplyError) -> (types: Set<String>?, from: EntryID?) {
        var end = request.count
        var from: EntryID?
        if end >= 4, request.isKeyword(end - 2, "FROM") {
            from = try place(request, end - 1)
            end -= 2
        } else if end >= 3, request.isKeyword(end - 1, "FROM") {
            throw ReadError.syntax
        }
        guard end > 2 else { return (nil, from) }
        var wanted: Set<String> = []
        for index in 2..<end { wanted.insert(try type(request, index)) }
        return (wanted, from)
    }

    private func unwatch(_ invocation: Invocation, _ pending: PendingReply) {
        guard let number = invocation.request.integer(1) else { return pending.answer(.error(ReadError.notAnInteger)) }
        feed.unwatch(number, of: invocation.client, pending)
    }

    private func history(_ invocation: Invocation) async -> Reply {
        do throws(ReplyError) {
            let request = invocation.request
            let asked = try asked(request)
            let tenant = try await tenants.tenant(in: request, at: 1, for: invocation.account)
            return try await feed.history(
                ProvisioningHistory(tenant: "\(tenant)", type: asked.type, count: asked.count, behind: asked.from))
        } catch {
            return .error(error)
        }
    }

    /// `FROM position`, `COUNT n` and `[TYPE type]` in any order.
    private func asked(_ request: Request) throws(ReplyError) -> (from: EntryID, type: String?, count: Int) {
        guard request.count.isMultiple(of: 2) else { throw ReadError.syntax }
        var from: EntryID?
        var type: String?
        var count: Int?
        for index in stride(from: 2, to: request.count, by: 2) {
            if request.isKeyword(index, "FROM"), from == nil {
                from = try place(request, index + 1)
            } else if request.isKeyword(index, "TYPE"), type == nil {
                type = try self.type(request, index + 1)
            } else if request.isKeyword(index, "COUNT"), count == nil {
                guard let number = request.integer(index + 1) else { throw ReadError.notAnInteger }
                guard (1...ProvisioningFeed.historyLimit).contains(number) else { throw WatchError.countOutOfRange }
                count = Int(number)
            } else {
                throw ReadError.syntax
            }
        }
        guard let from, let count else { throw ReadError.syntax }
        return (from, type, count)
    }

    private func place(_ request: Request, _ index: Int) throws(ReplyError) -> EntryID {
        guard let place = request.validText(index).flatMap({ EntryID(place: $0) }) else {
            throw WatchError.notAPosition
        }
        return place
    }

    private func type(_ request: Request, _ index: Int) throws(ReplyError) -> String {
        let word = request.text(index) ?? ""
        guard types.contains(word) else { throw ReadError.noSuchType(word) }
        return word
    }
}
