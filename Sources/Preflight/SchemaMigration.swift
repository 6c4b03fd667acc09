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

    private let region: Region
    private let login: Login?
    private let capturingRegion: String

    /// A migration of the region's database. `capturingRegion` goes into the history's first row if there is none.
    package init(_ region: Region, as login: Login? = nil, capturingRegion: String? = nil) {
        self.region = region
        self.login = login
        self.capturingRegion = capturingRegion ?? region.name
    }

    /// Does it; answers the steps that changed anything, each of which was told to `progress` when it was done.
    ///
    /// With `isDryRun` all is done and rolled back. Throws `PostgresError`, or `ProvisioningSchema.NewerSchema`.
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
        let first = try await transaction.query(ProvisioningSchema.firstCapture(by: capturingRegion))
        if first.affectedRows > 0 { done("history: \(capturingRegion) captures") }
        let access = SchemaAccess(region.catalog, publication: region.postgres.publication)
        for part in access.parts {
            let before = try await transaction.query(part.state).map { $0[0] }
            try await transaction.query(part.sql)
            if try await transaction.query(part.state).map({ $0[0] }) != before { done(part.name) }
        }
        return steps
    }
}
