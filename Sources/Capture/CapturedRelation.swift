internal import Journal
internal import PGOutput
internal import Provisioning
package import RegionConfig
internal import RESP

/// How the rows of one table become entries: worked out once for each shape of the table, so that a row costs no look-up.
package final class CapturedRelation: Sendable {
    /// The table of the catalog.
    let table: CatalogTable
    /// Its place in the catalog, for counts.
    let index: Int
    /// Number of columns in a row.
    let columnCount: Int
    /// The columns that reach the journal.
    let published: [Int]
    /// Their names as the row writer wants them.
    let layout: RowLayout
    /// The columns that make the key, in the catalog's order.
    let key: [Int]
    /// The column of the tenant's dbid.
    let tenant: Int
    /// `type`, the type and `key` in wire form.
    let typeHead: BulkStrings

    /// A table whose rows have `columns`, in this order. Fails when the tenant or a key column is not among them.
    package init(_ table: CatalogTable, index: Int, columns: [String]) throws(CaptureStop) {
        self.table = table
        self.index = index
        columnCount = columns.count
        key = try table.key.map { column throws(CaptureStop) in
            try Self.place(of: column, in: columns, table)
        }
        tenant = try Self.place(of: table.tenant, in: columns, table)
        published = columns.indices.filter { !table.omit.contains(columns[$0]) }
        layout = RowLayout(columns: columns)
        typeHead = BulkStrings(["type", table.type, "key"])
    }

    private static func place(
        of column: String, in columns: [String], _ table: CatalogTable
    ) throws(CaptureStop) -> Int {
        guard let place = columns.firstIndex(of: column) else {
            throw .columnMissing(table.table, column: column)
        }
        return place
    }
}

extension CapturedRelation {
    /// A table as the stream describes it. Fails also when the log does not carry tenant and key of a row that goes.
    convenience init(_ table: CatalogTable, index: Int, relation: Relation) throws(CaptureStop) {
        try self.init(table, index: index, columns: relation.columns.map(\.name))
        let lacking = table.identity.filter { name in
            !relation.columns.contains { $0.name == name && $0.isKey }
        }
        guard relation.replicaIdentity == .full || lacking.isEmpty else {
            throw .replicaIdentity(table.table, columns: lacking)
        }
    }
}
