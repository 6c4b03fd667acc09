package import RegionConfig

/// What `regionsync generate` is asked to do.
package struct GeneratorSettings: Sendable {
    /// Regions into whose Redis events are written; the first one's PostgreSQL is filled and changed.
    package var regions: [Region]
    package var tenants = 2
    /// A tenant's.
    package var persons = 500
    /// In each region; 0 for none.
    package var eventsPerSecond = 200
    /// Transactions; 0 for none.
    package var changesPerSecond = 5
    /// Until the end of the last call begins; nil: until `Generator.stop`.
    package var duration: Duration?
    /// Every how many transactions one of `largeRows` rows comes.
    package var largeEvery = 300
    package var largeRows = 1000
    package var seed: UInt64 = 1
    /// Put before the names of tenants and persons, and how those of an earlier run are found again.
    package var prefix = "gen-"
    /// Folder for the ledger files; nil: none are kept.
    package var ledgerFolder: String?
    /// File for the report; nil: none is written.
    package var reportPath: String?
    /// Only the tenants are wanted.
    package var fillsOnly = false
    /// Role that writes to PostgreSQL; nil: the region file's.
    package var postgresUser: String?
    /// Its password; nil: the region file's where the role is, too.
    package var postgresPassword: Secret?
    /// Tenants whose copies are watched at most, since each costs the peers' Redis work.
    package var observedTenants = 100

    package init(regions: [Region]) { self.regions = regions }

    /// Throws `.setting` for what cannot be done.
    package func check() throws(GeneratorError) {
        guard !regions.isEmpty else { throw .setting("expected at least one region") }
        let names = regions.map(\.name)
        guard Set(names).count == names.count else {
            throw .setting("two of the region files name the same region: \(names.joined(separator: ", "))")
        }
        func require(_ value: Int, _ range: ClosedRange<Int>, _ name: String) throws(GeneratorError) {
            guard range.contains(value) else {
                throw .setting("\(name): expected \(range.lowerBound) to \(range.upperBound), found \(value)")
            }
        }
        try require(tenants, 1...100_000, "tenants")
        // Fewer leave no agents for calls, or no managers for groups.
        try require(persons, 10...1_000_000, "persons")
        try require(eventsPerSecond, 0...100_000, "events-per-second")
        try require(changesPerSecond, 0...10_000, "changes-per-second")
        try require(largeEvery, 1...Int(Int32.max), "large-every")
        try require(largeRows, 1...10_000_000, "large-rows")
        try require(observedTenants, 0...100_000, "observed-tenants")
        if let duration, duration <= .zero || duration > .seconds(1_000_000_000) {
            throw .setting("seconds: expected 1 to 1000000000, found \(duration.components.seconds)")
        }
        guard prefix.utf8.count <= 20 else { throw .setting("prefix: expected at most 20 bytes") }
    }
}
