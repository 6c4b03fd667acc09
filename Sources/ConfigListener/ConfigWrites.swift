package import Projection
package import RESP
package import RESPServer
package import RegionConfig
package import Tenants

/// The commands of port 8888 that change provisioning: each is a transaction in PostgreSQL, several between `MULTI` and
/// `EXEC` are one.
package struct ConfigWrites: Sendable {
    private let database: any ProvisioningDatabase
    private let tenants: TenantLookup
    private let catalog: Catalog
    private let reading: SchemaReading
    private let progress: ProvisioningProgress
    private let readingTime: Duration

    /// `publication` says which columns readers, and so digests, have; `progress` how far provisioning is projected here; the
    /// reads of a transaction that have not begun within `readingTime` are refused.
    package init(
        database: any ProvisioningDatabase, tenants: TenantLookup, catalog: Catalog,
        publication: String = "regionsync", progress: ProvisioningProgress = ProvisioningProgress(),
        readingTime: Duration = .seconds(60)
    ) {
        self.progress = progress
        self.readingTime = readingTime
        self.database = database
        self.tenants = tenants
        self.catalog = catalog
        reading = SchemaReading(catalog, publication: publication)
    }

    /// `CFG.PUT`, `CFG.DEL`.
    package var commands: [Command] {
        Verb.allCases.map { verb in
            Command(
                verb.rawValue, arity: -4, flags: [.write], permission: .write, documentation: verb.documentation,
                handler: .asynchronous { call in await one(verb, call.request, for: call.account) })
        }
    }

    /// Answers `EXEC`. Writes are one transaction, of which either all are made or none; a transaction without writes is
    /// answered command by command.
    package func transaction(_ invocation: TransactionInvocation) async -> Reply {
        let writes = invocation.commands.compactMap { queued in
            Verb(rawValue: queued.command.name).map { (verb: $0, request: queued.request) }
        }
        if writes.isEmpty {
            var reads = ReadTransaction(invocation, within: readingTime)
            return await reads.perform()
        }
        guard writes.count == invocation.commands.count else {
            return .error(
                "EXECABORT", "Transaction discarded: CFG.PUT and CFG.DEL stand in one without other commands.")
        }
        return await all(writes, for: invocation.account)
    }

    /// Makes one write.
    func one(_ verb: Verb, _ request: Request, for account: Account) async -> Reply {
        switch await make([(verb, request)], for: account) {
        case .success(let answers): answers.first?.reply ?? .null
        case .failure(let refused): .error(refused.error)
        }
    }

    /// Makes writes as one transaction; an error says which of them it is about, counted from 1.
    func all(_ writes: [(verb: Verb, request: Request)], for account: Account) async -> Reply {
        switch await make(writes, for: account) {
        case .success(let answers): return .array(answers.map(\.reply))
        case .failure(let refused):
            guard let place = refused.place else { return .error(refused.error) }
            return .error(refused.error.code, "command \(place + 1): \(refused.error.message)")
        }
    }

    private func make(
        _ writes: [(verb: Verb, request: Request)], for account: Account
    ) async -> Result<[WriteAnswer], WriteRun.Refused> {
        do throws(WriteRun.Refused) {
            var addressed: [AddressedWrite] = []
            for (place, write) in writes.enumerated() {
                do throws(ReplyError) {
                    addressed.append(try await address(write.verb.read(write.request), for: account))
                    try refuseTwice(addressed)
                } catch {
                    throw WriteRun.Refused(place: place, error: error)
                }
            }
            let run = WriteRun(database: database, reading: reading, progress: progress, account: account)
            return .success(try await run.make(addressed))
        } catch {
            return .failure(error)
        }
    }

    /// Finds the tenant, and refuses what needs no database to be refused.
    private func address(_ request: WriteRequest, for account: Account) async throws(ReplyError) -> AddressedWrite {
        let tenant = try await tenants.tenant(request.tenant, for: account)
        guard let entry = catalog[type: request.type] else {
            let types = catalog.tables.map(\.type).joined(separator: ", ")
            throw ReplyError("no type \(WriteRequest.shown(request.type)); there are: \(types)")
        }
        if entry.key == [entry.tenant], request.comesOrGoes, account.tenants != .all {
            throw ReplyError(
                code: "NOPERM",
                message: "User \(account.name) does not see all tenants, as who adds or removes one must")
        }
        return AddressedWrite(request: request, tenant: tenant)
    }

    /// One key stands for one write.
    private func refuseTwice(_ writes: [AddressedWrite]) throws(ReplyError) {
        guard let last = writes.last, last.request.once != nil else { return }
        guard writes.dropLast().contains(where: { $0.tenant == last.tenant && $0.request.once == last.request.once })
        else { return }
        throw ReplyError("the key of ONCE stands twice in the transaction")
    }
}

extension ConfigWrites {
    /// The two commands, by name.
    enum Verb: String, CaseIterable, Sendable {
        case put = "CFG.PUT"
        case delete = "CFG.DEL"

        func read(_ request: Request) throws(ReplyError) -> WriteRequest {
            switch self {
            case .put: try WriteRequest(put: request)
            case .delete: try WriteRequest(delete: request)
            }
        }

        var documentation: Command.Documentation {
            switch self {
            case .put:
                Command.Documentation(
                    "Makes an object, or changes the named fields of one.", group: "provisioning",
                    arguments: Self.putArguments)
            case .delete:
                Command.Documentation(
                    "Removes an object and, first, what depends on it.", group: "provisioning",
                    complexity: "O(N) in the objects that depend on it", arguments: Self.deleteArguments)
            }
        }

        private static let putArguments: [Command.Argument] = [
            .init("tenant"), .init("type"),
            .init("target", .oneOf, parts: [.init("id"), .init("new", .pureToken, token: "NEW")]),
            .init(
                "change", .oneOf, isOptional: true, isMultiple: true,
                parts: [
                    .init("set", .block, parts: [.init("field"), .init("value")]), .init("field", token: "NULL"),
                ]),
            .init("version", token: "IF", isOptional: true), .init("key", token: "ONCE", isOptional: true),
        ]

        private static let deleteArguments: [Command.Argument] = [
            .init("tenant"), .init("type"), .init("id"), .init("version", token: "IF", isOptional: true),
            .init("key", token: "ONCE", isOptional: true),
        ]
    }
}

extension WriteRequest {
    /// Whether afterwards there is an object more or less.
    var comesOrGoes: Bool {
        switch change {
        case .put(let id, _): id == nil
        case .delete: true
        }
    }
}
