/// Collects, statement by statement, the objects that a transaction touches, with the digest of each as PostgreSQL
/// returned it, so that the ledger says what the database says and not what the plan thought.
package struct TouchedObjects: Sendable {
    private var digests: [ObjectKey: UInt64?] = [:]
    private var order: [ObjectKey] = []
    /// Columns that never leave PostgreSQL, by table.
    private let omitted: [ProvisioningTable: Set<String>]

    package init(omitting omitted: [ProvisioningTable: Set<String>] = [.person: ["password_hash"]]) {
        self.omitted = omitted
    }

    /// A statement ran and returned these rows, each with a value for every one of `columns`.
    package mutating func ran(_ change: RowChange, columns: [String], rows: [[String?]]) {
        let table = change.table
        let hidden = omitted[table] ?? []
        for row in rows {
            let values = Array(zip(columns, row))
            func value(_ name: String) -> String { values.first { $0.0 == name }?.1 ?? "" }
            let tenant = value(table.tenantColumn)
            let key = table.keyColumns.map(value)
            switch change {
            case .delete:
                set(tenant, table, key, nil)
            case .update(_, let old, _) where old != key:
                set(tenant, table, old, nil)
                fallthrough
            default:
                set(tenant, table, key, PayloadDigest.object(values.filter { !hidden.contains($0.0) }))
            }
        }
    }

    /// As the transaction leaves them, in the order in which it first touched them.
    package var touched: [TouchedObject] {
        order.map { TouchedObject($0, digest: digests[$0] ?? nil) }
    }

    private mutating func set(_ tenant: String, _ table: ProvisioningTable, _ key: [String], _ digest: UInt64?) {
        let name = ObjectKey(tenant: tenant, type: table.type, key: key.joined(separator: ":"))
        if digests.updateValue(digest, forKey: name) == nil { order.append(name) }
    }
}
