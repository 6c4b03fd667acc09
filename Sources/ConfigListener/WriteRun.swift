internal import Journal
internal import Projection
internal import RESP
internal import RESPServer

/// Makes writes, all in one transaction, and tries again where PostgreSQL or others that write make that sensible.
struct WriteRun: Sendable {
    /// What keeps one of the writes, or all of them, from being made.
    struct Failure: Error, Hashable, Sendable {
        /// Nil: all of them.
        let place: Int?
        let obstacle: WriteObstacle
    }

    /// What is to be told to the client, of which of its writes.
    struct Refused: Error, Hashable, Sendable {
        let place: Int?
        let error: ReplyError
    }

    /// How often a transaction is begun.
    private static let attempts = 5

    let database: any ProvisioningDatabase
    let reading: SchemaReading
    /// How far provisioning is projected here.
    let progress: ProvisioningProgress
    let account: Account

    /// An answer for each.
    func make(_ writes: [AddressedWrite]) async throws(Refused) -> [WriteAnswer] {
        var attempt = 1
        var isOutdated = false
        while true {
            let schema = try await schema(isOutdated: isOutdated)
            let failure: Failure
            do throws(Failure) {
                return try await make(writes, by: schema)
            } catch {
                failure = error
            }
            switch failure.obstacle.remedy {
            case .schema where !isOutdated: isOutdated = true
            case .repetition where attempt < Self.attempts:
                attempt += 1
                // Others that were refused at the same time must not meet again.
                try? await Task.sleep(for: .milliseconds(Int.random(in: 1...(10 * attempt))))
            default: throw Refused(place: failure.place, error: await reply(to: failure, of: writes, by: schema))
            }
        }
    }

    private func schema(isOutdated: Bool) async throws(Refused) -> WrittenSchema {
        var attempt = 1
        while true {
            do throws(DatabaseFailure) {
                return try await reading.schema(from: database, isOutdated: isOutdated)
            } catch {
                guard error == .lost, attempt < Self.attempts else { throw Refused(place: nil, error: error.reply) }
                attempt += 1
            }
        }
    }

    // MARK: One transaction

    private func make(_ writes: [AddressedWrite], by schema: WrittenSchema) async throws(Failure) -> [WriteAnswer] {
        let transaction: any ProvisioningTransaction
        do throws(DatabaseFailure) {
            transaction = try await database.begin()
        } catch {
            throw Failure(place: nil, obstacle: .database(error))
        }
        let answers: [WriteAnswer]
        do throws(Failure) {
            answers = try await perform(writes, by: schema, in: transaction)
        } catch {
            await transaction.rollBack()
            throw error
        }
        do throws(DatabaseFailure) {
            try await transaction.commit()
        } catch {
            throw Failure(place: nil, obstacle: .database(error))
        }
        return answers
    }

    private func perform(
        _ writes: [AddressedWrite], by schema: WrittenSchema, in transaction: any ProvisioningTransaction
    ) async throws(Failure) -> [WriteAnswer] {
        // Before anything is written: the transaction itself may rename a tenant.
        let misnamed = try await misnamed(writes, by: schema, in: transaction)
        var known: [Int: WriteAnswer] = [:]
        var made: [Int: ObjectWrite.Outcome] = [:]
        for (place, write) in writes.enumerated() {
            do throws(WriteObstacle) {
                if let key = onceKey(of: write), let answer = try await claim(key, in: transaction) {
                    known[place] = answer
                    continue
                }
                guard !misnamed.contains(place) else { throw .told(.misnamed(write.request.tenant)) }
                guard let table = schema.tables[write.request.type], !table.columns.isEmpty else {
                    throw .outdated(ReplyError("the table of \(write.request.type) is not there"))
                }
                let object = ObjectWrite(
                    write: write, account: account, table: table, schema: schema, transaction: transaction)
                made[place] = try await object.perform()
            } catch {
                throw Failure(place: place, obstacle: error)
            }
        }
        do throws(WriteObstacle) {
            return try await answers(to: writes, known: known, made: made, in: transaction)
        } catch {
            throw Failure(place: nil, obstacle: error)
        }
    }

    /// The places of those whose tenant PostgreSQL does not know by the name that was said: it has another one since the
    /// region's names were looked at.
    private func misnamed(
        _ writes: [AddressedWrite], by schema: WrittenSchema, in transaction: any ProvisioningTransaction
    ) async throws(Failure) -> Set<Int> {
        var misnamed: Set<Int> = []
        var holds: [WriteStatement: Bool] = [:]
        for (place, write) in writes.enumerated() where write.request.namesTenant {
            guard let naming = schema.naming(write.request.tenant, of: write.tenant) else { continue }
            if holds[naming] == nil {
                do throws(WriteObstacle) {
                    holds[naming] = try await run(naming, in: transaction).first != nil
                } catch {
                    throw Failure(place: place, obstacle: error)
                }
            }
            if holds[naming] == false { misnamed.insert(place) }
        }
        return misnamed
    }

    /// Draws the token of what was made, and keeps the answers that are to be remembered.
    private func answers(
        to writes: [AddressedWrite], known: [Int: WriteAnswer], made: [Int: ObjectWrite.Outcome],
        in transaction: any ProvisioningTransaction
    ) async throws(WriteObstacle) -> [WriteAnswer] {
        guard !made.isEmpty else {
            // What is remembered there may be lost as well.
            let newest = try await run(WriteToken.newestHistory, in: transaction).first
            try refuseFormerPrimary(newest.flatMap { UInt64($0) } ?? 0)
            return writes.indices.compactMap { known[$0] }
        }
        guard let token = WriteToken(try await run(WriteToken.statement, in: transaction)) else {
            throw .told(ReplyError(code: "UNAVAILABLE", message: "regionsync.history is empty: run regionsync migrate"))
        }
        try refuseFormerPrimary(token.after.history)
        var answers: [WriteAnswer] = []
        for (place, write) in writes.enumerated() {
            guard let outcome = made[place] else {
                if let answer = known[place] { answers.append(answer) }
                continue
            }
            let answer = WriteAnswer(id: outcome.id, token: token, removed: outcome.removed)
            if let key = onceKey(of: write) { try await run(key.remember(answer), in: transaction) }
            answers.append(answer)
        }
        return answers
    }

    /// `newest` is the newest history that the server has. One is in PostgreSQL before it is in a journal: a server that lacks
    /// the one that the region has come to is not the primary any more.
    private func refuseFormerPrimary(_ newest: UInt64) throws(WriteObstacle) {
        guard newest >= progress.completed?.history ?? 0 else { throw .told(.formerPrimary) }
    }

    // MARK: Once

    private func onceKey(of write: AddressedWrite) -> OnceKey? {
        write.request.once.map { key in
            OnceKey(
                account: account.name, tenant: write.tenant, key: key,
                fingerprint: write.request.fingerprint(tenant: write.tenant))
        }
    }

    /// Nil where the write is to be made; else what it was answered with when it was.
    private func claim(
        _ key: OnceKey, in transaction: any ProvisioningTransaction
    ) async throws(WriteObstacle) -> WriteAnswer? {
        let claimed: StatementRows
        do throws(WriteObstacle) {
            claimed = try await run(key.claim, in: transaction)
        } catch {
            // Who has it may be this request's first try, in the middle of its commit.
            if case .database(.refused(let refusal)) = error, refusal.isAboutTime { throw .told(.onceInProgress) }
            throw error
        }
        guard claimed.rows.isEmpty else { return nil }
        let remembered = try await run(key.recall, in: transaction)
        // Pruned in the meantime: it is new.
        guard let row = remembered.rows.first, row.count == 2 else { throw .overtaken }
        guard row[0] == "t", let answer = row[1].flatMap({ WriteAnswer($0) }) else {
            throw .told(
                ReplyError(code: "CONFLICT", message: "the key of ONCE stands for another request"))
        }
        return answer
    }

    @discardableResult
    private func run(
        _ statement: WriteStatement, in transaction: any ProvisioningTransaction
    ) async throws(WriteObstacle) -> StatementRows {
        do throws(DatabaseFailure) {
            return try await transaction.run(statement)
        } catch {
            throw .database(error)
        }
    }

    // MARK: Refusals

    private func reply(to failure: Failure, of writes: [AddressedWrite], by schema: WrittenSchema) async -> ReplyError {
        switch failure.obstacle {
        case .told(let error), .outdated(let error): return error
        case .overtaken:
            return ReplyError(
                code: "CONFLICT", message: "others write the same objects again and again; nothing was written")
        case .database(.refused(let refusal)):
            // A commit refuses nobody's write in particular: what it says is told by the first one's names.
            let place = failure.place ?? 0
            guard writes.indices.contains(place), let table = schema.tables[writes[place].request.type] else {
                return WrittenSchema.reply(to: refusal)
            }
            if refusal.isAboutValue, let field = await wrongField(of: writes[place], in: table) {
                return ReplyError("\(field): \(refusal.message)")
            }
            return schema.reply(to: refusal, toDelete: writes[place].request.isDelete, in: table)
        case .database(let other): return other.reply
        }
    }

    /// The field whose value PostgreSQL does not take, which its errors do not name.
    private func wrongField(of write: AddressedWrite, in table: WrittenTable) async -> String? {
        guard case .put(_, let fields) = write.request.change else { return nil }
        let tooLong = fields.first { field in
            guard let value = field.value, let limit = table[field.name]?.maximumLength else { return false }
            return value.unicodeScalars.count > limit
        }
        if let tooLong { return tooLong.name }
        let statements = RowStatements(table: table, tenant: write.tenant)
        guard let transaction = try? await database.begin() else { return nil }
        var wrong: String?
        for field in fields {
            guard let probe = statements.probe(field) else { continue }
            do throws(DatabaseFailure) {
                _ = try await transaction.run(probe)
            } catch {
                if case .refused(let refusal) = error, refusal.isAboutValue { wrong = field.name }
                break
            }
        }
        await transaction.rollBack()
        return wrong
    }
}
