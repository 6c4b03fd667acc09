package import Journal

/// PostgreSQL, as repairs ask it.
package protocol RepairSource: Sendable {
    /// The next transaction ID: every transaction that is over by now was begun below it.
    func horizon() async throws -> UInt64
    /// The rows of these objects as a snapshot shows them that is taken now, and the log's end behind it. Fails where the
    /// server is not the one that the newest history names.
    func rows(of names: [ProvisioningEntry.ObjectName]) async throws -> RepairRound.Reading
    /// Compares a table of the catalog with a cache, as one snapshot shows it, and hands out what differs; other calls may
    /// be made meanwhile.
    func compare(
        _ table: Int, with cache: CachedObjects, _ found: (TableComparison.Difference) async throws -> Void
    ) async throws -> TableComparison.Summary
    /// Commits a transaction that changes nothing and reaches every cursor.
    func move() async throws
}
