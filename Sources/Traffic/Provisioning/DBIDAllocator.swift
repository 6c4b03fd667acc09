/// Gives out dbids: unique a table, never used again.
///
/// Whoever runs the plan reserves blocks in each table's sequence first, and further ones before a block is used up.
package struct DBIDAllocator: Hashable, Sendable {
    private var blocks: [ProvisioningTable: Range<Int64>] = [:]

    /// A table that has no block begins at 101 (1 is the Environment tenant) and never ends.
    package init(_ blocks: [ProvisioningTable: Range<Int64>] = [:]) { self.blocks = blocks }

    /// How many more can be taken before `reserved` must be called.
    package func remaining(_ table: ProvisioningTable) -> Int64 {
        let block = self.block(table)
        return max(0, block.upperBound - block.lowerBound)
    }

    /// `block` is the table's; what was left of the one before is never used.
    package mutating func reserved(_ block: Range<Int64>, for table: ProvisioningTable) { blocks[table] = block }

    /// The next one. A block must not be used up.
    package mutating func take(_ table: ProvisioningTable) -> Int64 {
        let block = self.block(table)
        precondition(!block.isEmpty, "no dbid of \(table) is left")
        blocks[table] = (block.lowerBound + 1)..<block.upperBound
        return block.lowerBound
    }

    private func block(_ table: ProvisioningTable) -> Range<Int64> { blocks[table] ?? 101..<Int64.max }
}
