internal import RESP
internal import RESPServer
internal import RegionConfig

/// A write whose tenant is known.
struct AddressedWrite: Hashable, Sendable {
    let request: WriteRequest
    /// Dbid.
    let tenant: Int64
}

/// Why a write does not come about.
enum WriteObstacle: Error, Hashable, Sendable {
    case told(ReplyError)
    /// The schema that is known may be older than the database's; if it is not, that is what to say.
    case outdated(ReplyError)
    /// Another wrote the same object first.
    case overtaken
    case database(DatabaseFailure)
}

extension WriteObstacle {
    /// What may overcome an obstacle.
    enum Remedy: Hashable, Sendable {
        /// Asking the database for its schema again.
        case schema
        /// Doing the same again.
        case repetition
    }

    var remedy: Remedy? {
        switch self {
        case .outdated: .schema
        case .overtaken, .database(.lost): .repetition
        case .database(.refused(let refusal)):
            refusal.isTransient ? .repetition : refusal.isAboutNames ? .schema : nil
        case .told, .database: nil
        }
    }
}

/// One write, inside a transaction.
struct ObjectWrite {
    let write: AddressedWrite
    let account: Account
    let table: WrittenTable
    let schema: WrittenSchema
    let transaction: any ProvisioningTransaction

    /// The object's ID, and how many a deletion removed or changed.
    typealias Outcome = (id: String, removed: Int?)

    private var statements: RowStatements { RowStatements(table: table, tenant: write.tenant) }

    func perform() async throws(WriteObstacle) -> Outcome {
        switch write.request.change {
        case .put(let id, let fields): return (id: try await put(id, fields), removed: nil)
        case .delete(let id): return try await delete(id)
        }
    }

    private func put(_ id: String?, _ fields: [WriteRequest.Field]) async throws(WriteObstacle) -> String {
        do throws(ReplyError) {
            try table.check(fields, isNew: id == nil)
        } catch {
            throw .outdated(error)
        }
        try checkTenants(fields)
        guard let id else { return try await insert(nil, fields) }
        guard let key = statements.key(of: id) else { throw .told(.noObject) }
        guard let found = try await lock(key) else {
            guard !table.generatesKey, write.request.version == nil else { throw .told(.noObject) }
            return try await insert(key, fields)
        }
        if !fields.isEmpty { try await run(statements.update(key, fields)) }
        return found
    }

    private func insert(_ key: [String]?, _ fields: [WriteRequest.Field]) async throws(WriteObstacle) -> String {
        do throws(WriteObstacle) {
            let answer = try await run(statements.insert(key, fields))
            guard let id = answer.first else { throw .told(ReplyError("PostgreSQL made no object")) }
            return id
        } catch {
            if key != nil, case .database(.refused(let refusal)) = error, refusal.code == "23505",
                let constraint = schema.constraint(of: refusal),
                Set(constraint.columns).isSubset(of: table.entry.identity)
            {
                throw .overtaken
            }
            throw error
        }
    }

    private func delete(_ id: String) async throws(WriteObstacle) -> Outcome {
        guard let key = statements.key(of: id), let found = try await lock(key) else { throw .told(.noObject) }
        var removed = 0
        let before = ObjectRules.statements(beforeDeleting: found, from: table, tenant: write.tenant, in: schema)
        for statement in before { removed += try await run(statement).affected }
        removed += try await run(statements.delete(key)).affected
        return (id: found, removed: removed)
    }

    /// The ID as PostgreSQL writes it, once nobody else can change the object; nil where it is not there.
    private func lock(_ key: [String]) async throws(WriteObstacle) -> String? {
        let answer: StatementRows
        do throws(WriteObstacle) {
            answer = try await run(statements.lock(key, toDelete: write.request.isDelete))
        } catch {
            // What is no value of the key's type is no object's ID.
            if case .database(.refused(let refusal)) = error, refusal.isAboutValue { throw .told(.noObject) }
            throw error
        }
        guard let row = answer.rows.first, row.count == 2, let id = row[0] else { return nil }
        if let version = write.request.version, row[1] != version {
            // Or it has a column of which is not known yet that digests are made of it.
            throw .outdated(ReplyError(code: "CONFLICT", message: "the object is not of version \(shown(version))"))
        }
        return id
    }

    /// Other tenants may be named by those who see them alone; for the rest there are none.
    private func checkTenants(_ fields: [WriteRequest.Field]) throws(WriteObstacle) {
        guard account.tenants != .all else { return }
        for field in fields where schema.isTenantReference(field.name, of: table) {
            guard let value = field.value else { continue }
            guard let dbid = Int64(value), account.sees(tenant: dbid) else {
                throw .told(
                    ReplyError(code: "NOTFOUND", message: "\(field.name): names an object that is not there"))
            }
        }
    }

    private func shown(_ word: String) -> String { WriteRequest.shown(word) }

    @discardableResult
    private func run(_ statement: WriteStatement) async throws(WriteObstacle) -> StatementRows {
        do throws(DatabaseFailure) {
            return try await transaction.run(statement)
        } catch {
            throw .database(error)
        }
    }
}
