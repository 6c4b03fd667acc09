/// Gives out dbids: unique a table, never used again.
///
/// Whoever runs the plan reserves a block in each table's sequence first and sets `first` behind what is used.
package struct DBIDAllocator: Hashable, Sendable {
    private var next: [ProvisioningTable: Int64] = [:]

    /// For a table that is not named, dbids begin at 101 (1 is the Environment tenant).
    package init(first: [ProvisioningTable: Int64] = [:]) { next = first }

    package mutating func take(_ table: ProvisioningTable) -> Int64 {
        let dbid = next[table] ?? 101
        next[table] = dbid + 1
        return dbid
    }

    /// The dbid that `take` will give.
    package func peek(_ table: ProvisioningTable) -> Int64 { next[table] ?? 101 }
}
