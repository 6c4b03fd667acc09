internal import RegionConfig
internal import Synchronization

/// The schema as PostgreSQL last told it; asked for again where something does not fit, once a second at most.
final class SchemaReading: Sendable {
    private struct Known {
        let schema: WrittenSchema
        let since: ContinuousClock.Instant
    }

    private static let interval = Duration.seconds(1)

    private let statements: SchemaStatements
    private let known = Mutex<Known?>(nil)

    init(_ catalog: Catalog, publication: String) {
        statements = SchemaStatements(catalog: catalog, publication: publication)
    }

    func schema(
        from database: any ProvisioningDatabase, isOutdated: Bool
    ) async throws(DatabaseFailure) -> WrittenSchema {
        if let known = known.withLock({ $0 }), !isOutdated || known.since + Self.interval > .now { return known.schema }
        let since = ContinuousClock.now
        let transaction = try await database.begin()
        let schema: WrittenSchema
        do throws(DatabaseFailure) {
            let columns = try await transaction.run(statements.columns)
            schema = WrittenSchema(
                statements.catalog, columns: columns, constraints: try await transaction.run(statements.constraints))
        } catch {
            await transaction.rollBack()
            throw error
        }
        await transaction.rollBack()
        known.withLock { $0 = Known(schema: schema, since: since) }
        return schema
    }
}
