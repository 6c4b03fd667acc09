internal import Connections
internal import PostgresClient
internal import Provisioning
package import RegionConfig

/// Brings the database to what this program and a region file's catalog need: schema, first row of the history, roles,
/// grants, publication. All in one transaction; done again, it finds nothing to do.
package struct SchemaMigration: Sendable {
    /// Who does it, where that is not the region file's user.
    package struct Login: Sendable {
        package let user: String
        package let password: Secret?

        /// A role that may create roles and owns the tables, or is a superuser. Without a password none is sent.
        package init(user: String, password: Secret?) {
            self.user = user
            self.password = password
        }
    }

    /// One thing that was brought about, in words.
    package typealias Step = String

    /// What the region file or the operator asks for and the database does not have.
    package enum Refused: Error, Hashable, Sendable {
        /// Another region captures than the one that is to.
        case otherCaptures(String, asked: String)
        /// The catalog names columns that the table lacks.
        case columnsMissing(TableName, [String], present: [String])
    }

    private let region: Region
    private let login: Login?
    private let capturingRegion: String?

    /// A migration of the region's database. `capturingRegion`, or this region, goes into the history's first row if there
    /// is none; where there is one, `capturingRegion` must be the one that captures.
    package init(_ region: Region, as login: Login? = nil, capturingRegion: String? = nil) {
        self.region = region
        self.login = login
        self.capturingRegion = capturingRegion
    }

    /// Does it; answers the steps that changed anything, each of which was told to `progress` when it was done.
    ///
    /// With `isDryRun` all is done and rolled back. Throws `PostgresError`, `ProvisioningSchema.NewerSchema`, or `Refused`.
    package func run(
        isDryRun: Bool = false, progress: @Sendable (Step) -> Void = { _ in }
    ) async throws -> [Step] {
        var options = PostgresOptions(region.postgres, region: region.name, purpose: "migrate")
        if let login {
            options.user = login.user
            options.password = login.password?.exposed
        }
        let connection = try await PostgresConnection.connect(options)
        do {
            let steps = try await perform(connection, isDryRun: isDryRun, progress: progress)
            await connection.close()
            return steps
        } catch {
            await connection.close()
            throw error
        }
    }

    /// Ends a transaction that is not to be kept.
    private struct NotKept: Error {
        let steps: [Step]
    }

    private func perform(
        _ connection: PostgresConnection, isDryRun: Bool, progress: @Sendable (Step) -> Void
    ) async throws -> [Step] {
        do {
            return try await connection.withTransaction { transaction in
                let steps = try await migrate(transaction, progress: progress)
                // A transaction that changed nothing leaves no trace either: no new grants, no touched catalogs.
                guard !isDryRun, !steps.isEmpty else { throw NotKept(steps: steps) }
                return steps
            }
        } catch let error as NotKept {
            return error.steps
        }
    }

    private func migrate(
        _ transaction: PostgresTransaction, progress: @Sendable (Step) -> Void
    ) async throws -> [Step] {
        var steps: [Step] = []
        func done(_ step: Step) {
            steps.append(step)
            progress(step)
        }
        try await transaction.query(ProvisioningSchema.prepare)
        guard let row = try await transaction.query(ProvisioningSchema.installedVersion).first else {
            throw PostgresError.protocolViolation("no schema version")
        }
        for migration in try ProvisioningSchema.pending(after: try row.integer("version")) {
            try await transaction.query(migration.sql)
            done("schema \(migration.version): \(migration.name)")
        }
        let asked = capturingRegion ?? region.name
        let first = try await transaction.query(ProvisioningSchema.firstCapture(by: asked))
        if first.affectedRows > 0 {
            done("history: \(asked) captures")
        } else if let capturingRegion {
            try await requireCapture(by: capturingRegion, transaction)
        }
        try await requireColumns(transaction)
        let access = SchemaAccess(region.catalog, publication: region.postgres.publication)
        for part in access.parts {
            let before = try await transaction.query(part.state).map { $0[0] }
            try await transaction.query(part.sql)
            if try await transaction.query(part.state).map({ $0[0] }) != before { done(part.name) }
        }
        return steps
    }

    private func requireCapture(by asked: String, _ transaction: PostgresTransaction) async throws {
        let newest = try await transaction.query(
            "SELECT capture_region FROM regionsync.history ORDER BY number DESC LIMIT 1")
        guard let row = newest.first else { return }
        let capturing = try row.string("capture_region")
        guard capturing == asked else { throw Refused.otherCaptures(capturing, asked: asked) }
    }

    /// Grants and publication name none of these columns; capture would stop at the first that is not there.
    private func requireColumns(_ transaction: PostgresTransaction) async throws {
        for entry in region.catalog.tables {
            let rows = try await transaction.query(
                """
                SELECT attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
                JOIN pg_namespace ON pg_namespace.oid = relnamespace
                WHERE nspname = $1 AND relname = $2 AND attnum > 0 AND NOT attisdropped ORDER BY attnum
                """, [entry.table.schema, entry.table.name])
            let present = try rows.map { try $0.string("attname") }
            // A table that is not there is told by what is to be granted on it.
            guard !present.isEmpty else { continue }
            let missing = entry.columnsMissing(among: present)
            guard missing.isEmpty else { throw Refused.columnsMissing(entry.table, missing, present: present) }
        }
    }
}

extension SchemaMigration.Refused: CustomStringConvertible {
    package var description: String {
        switch self {
        case .otherCaptures(let capturing, let asked):
            "\(capturing) captures by regionsync.history, and not \(asked): regionsync failover changes that; "
                + "--capture-region only names the first one"
        case .columnsMissing(let table, let missing, let present):
            "\(table) has no column \(missing.joined(separator: ", ")); it has \(present.joined(separator: ", ")): "
                + "correct the table's entry in the catalog"
        }
    }
}
