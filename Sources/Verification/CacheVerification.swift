package import PostgresClient
package import RegionConfig
internal import Worker

/// Compares PostgreSQL with each region's cache, object by object over the catalog, against one snapshot.
package struct CacheVerification: Sendable {
    /// What was found.
    package struct Result: Sendable {
        /// Objects that PostgreSQL has.
        package internal(set) var objects = 0
        package internal(set) var findings: [CacheFinding] = []
        /// By region: what differed beyond the number that is looked at twice.
        package internal(set) var unconfirmed: [String: Int] = [:]

        /// Objects, counters and keys that are not as they must be, over all regions.
        package var drift: Int { findings.count + unconfirmed.values.reduce(0, +) }
    }

    /// PostgreSQL may have to sort a large table before its first row.
    private static let patience = Duration.seconds(600)

    private let catalog: Catalog
    private let publication: String
    private let regions: [RegionServer]
    private let wait: Duration
    private let progress: @Sendable (String) -> Void

    /// A comparison that waits at most `wait` for caches to catch up; `progress` gets a line now and then.
    package init(
        catalog: Catalog, publication: String, regions: [RegionServer], wait: Duration,
        progress: @escaping @Sendable (String) -> Void
    ) {
        self.catalog = catalog
        self.publication = publication
        self.regions = regions
        self.wait = wait
        self.progress = progress
    }

    /// Compares; throws `VerificationError` when it cannot look.
    package func run(_ connection: PostgresConnection) async throws -> Result {
        let projection = try await ProjectionProgress.read(connection, regions: regions)
        var found = try await compare(connection, projection)
        if found.suspects.contains(where: { $0.overflow > 0 }) {
            progress("many differences: comparing everything once more")
            found = try await compare(connection, projection)
        }
        var result = Result()
        result.objects = found.objects
        for (region, suspects) in zip(regions, found.suspects) where !suspects.all.isEmpty {
            progress("\(region.name): looking again at \(suspects.all.count) differences")
            var look = SecondLook(found.comparison, region: region, progress: projection, connection: connection)
            result.findings += try await look.confirm(suspects.all, until: .now + wait)
            if suspects.overflow > 0 { result.unconfirmed[region.name] = suspects.overflow }
        }
        return result
    }

    private struct Found {
        var comparison: ObjectComparison
        var objects = 0
        /// By region.
        var suspects: [Suspects]
    }

    /// One snapshot against all caches.
    private func compare(_ connection: PostgresConnection, _ projection: ProjectionProgress) async throws -> Found {
        if try await !projection.settle(until: .now + wait) {
            progress("a projection is still behind its journals after \(wait); looking all the same")
        }
        var (found, tenants) = try await connection.withTransaction(
            TransactionOptions(isolation: .repeatableRead, isReadOnly: true)
        ) { transaction in
            let tables = try await PublishedTable.read(catalog, publication: publication, transaction)
            var found = Found(comparison: ObjectComparison(tables: tables), suspects: regions.map { _ in Suspects() })
            var tenants: [Set<String>] = []
            for table in tables.indices {
                let pass = try await pass(over: table, found.comparison, transaction, before: found.objects)
                found.objects += pass.objects
                tenants.append(pass.tenants)
                for index in regions.indices { found.suspects[index].merge(pass.suspects[index]) }
            }
            return (found, tenants)
        }
        for (index, region) in regions.enumerated() {
            progress("\(region.name): looking for keys that nothing in PostgreSQL stands behind")
            var sweep = CacheSweep(found.comparison, tenants: tenants, region: region)
            try await sweep.run()
            found.suspects[index].merge(sweep.suspects)
        }
        return found
    }

    private func pass(
        over table: Int, _ comparison: ObjectComparison, _ transaction: PostgresTransaction, before: Int
    ) async throws -> TablePass {
        let published = comparison.tables[table]
        let clock = ContinuousClock()
        var reported = clock.now
        return try await transaction.withCopyOut(published.copySQL) { reader in
            var pass = TablePass(comparison, table: table, regions: regions)
            while let batch = try await reader.next(timeout: Self.patience) {
                try await pass.compare(published.rows(in: batch))
                if clock.now - reported > .seconds(2) {
                    progress("\(before + pass.objects) objects compared, at \(published.table.table)")
                    reported = clock.now
                }
            }
            try await pass.finish()
            return pass
        }
    }
}
