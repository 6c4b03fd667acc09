/// Collects, statement by statement, the objects that a transaction touches, with the digest of each as PostgreSQL
/// returned it, so that the ledger says what the database says and not what the plan thought.
package struct TouchedObjects: Sendable {
    private var digests: [ObjectKey: UInt64?] = [:]
    private var order: [ObjectKey] = []

    package init() {}

    /// A statement ran and returned these rows, each with a value for every one of `columns`: those that are replicated,
    /// tenant and key among them.
    package mutating func ran(_ change: RowChange, columns: [String], rows: [[String?]]) {
        forEach(rows, of: change.table, columns) { touched, tenant, key, values in
            switch change {
            case .delete:
                touched.set(tenant, change.table, key, nil)
            case .update(_, let old, _) where old != key:
                touched.set(tenant, change.table, old, nil)
                fallthrough
            default:
                touched.set(tenant, change.table, key, PayloadDigest.object(values))
            }
        }
    }

    /// These rows were inserted.
    package mutating func inserted(_ table: ProvisioningTable, columns: [String], rows: [[String?]]) {
        forEach(rows, of: table, columns) { touched, tenant, key, values in
            touched.set(tenant, table, key, PayloadDigest.object(values))
        }
    }

    /// As the transaction leaves them, in the order in which it first touched them.
    package var touched: [TouchedObject] {
        order.map { TouchedObject($0, digest: digests[$0] ?? nil) }
    }

    private mutating func forEach(
        _ rows: [[String?]], of table: ProvisioningTable, _ columns: [String],
        _ body: (inout TouchedObjects, _ tenant: String, _ key: [String], _ values: [(String, String?)]) -> Void
    ) {
        guard let tenant = columns.firstIndex(of: table.tenantColumn) else { return }
        let key = table.keyColumns.compactMap { columns.firstIndex(of: $0) }
        for row in rows {
            body(&self, row[tenant] ?? "", key.map { row[$0] ?? "" }, Array(zip(columns, row)))
        }
    }

    private mutating func set(_ tenant: String, _ table: ProvisioningTable, _ key: [String], _ digest: UInt64?) {
        let name = ObjectKey(tenant: tenant, type: table.type, key: key.joined(separator: ","))
        if digests.updateValue(digest, forKey: name) == nil { order.append(name) }
    }
}
