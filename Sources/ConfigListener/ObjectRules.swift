internal import Provisioning
internal import RegionConfig

/// What domain.md says of objects that depend on each other, and PostgreSQL's catalog does not: the one list of what is
/// changed before an object is deleted.
enum ObjectRules {
    /// A dependant of objects of a table.
    struct Dependant: Hashable, Sendable {
        /// What becomes of a row that names the object.
        enum Effect: Hashable, Sendable {
            case delete
            /// The column becomes NULL.
            case forget
            /// The column is an array, which the object is taken out of.
            case remove
        }

        let table: String
        let column: String
        let effect: Effect

        init(_ table: String, _ column: String, _ effect: Effect) {
            self.table = table
            self.column = column
            self.effect = effect
        }
    }

    /// The schema of the tables that the rules name.
    private static let schema = "provisioning"

    /// By table, in the order in which they are changed. What stands nowhere here keeps its objects from being deleted
    /// while others refer to them: switches, tenants, folders with folders in them.
    private static let dependants: [String: [Dependant]] = [
        "person": [
            Dependant("agent_group_member", "person_dbid", .delete),
            Dependant("agent_group", "manager_dbids", .remove),
            Dependant("person_skill", "person_dbid", .delete),
        ],
        "dn": [
            Dependant("place", "dn_dbids", .remove),
            Dependant("dn_group_member", "dn_dbid", .delete),
            Dependant("campaign_group", "orig_dn_dbid", .forget),
            Dependant("agent_group", "route_dn_dbids", .remove),
        ],
        "place": [
            Dependant("person", "place_dbid", .forget),
            Dependant("place_group_member", "place_dbid", .delete),
        ],
        "skill": [Dependant("person_skill", "skill_dbid", .delete)],
        "agent_group": [
            Dependant("agent_group_member", "agent_group_dbid", .delete),
            Dependant("campaign_group", "group_dbid", .forget),
        ],
        "place_group": [Dependant("place_group_member", "place_group_dbid", .delete)],
        "dn_group": [Dependant("dn_group_member", "dn_group_dbid", .delete)],
        "campaign": [Dependant("campaign_group", "campaign_dbid", .delete)],
    ]

    /// Fields whose values stand in a table of their own, so that PostgreSQL can watch over them.
    private static let keptElsewhere: [TableName: (table: String, field: String)] = [
        TableName(schema: schema, name: "place_dn"): ("place", "dn_dbids")
    ]

    /// What is to be done before the object `id` of `table` is deleted, each for rows of the same tenant. Tables that the
    /// catalog does not have are left to PostgreSQL.
    static func statements(
        beforeDeleting id: String, from table: WrittenTable, tenant: Int64, in schema: WrittenSchema
    ) -> [WriteStatement] {
        guard table.entry.table.schema == Self.schema, table.entry.key.count == 1 else { return [] }
        return dependants[table.entry.table.name, default: []].compactMap { dependant in
            let name = TableName(schema: Self.schema, name: dependant.table)
            guard let other = schema.tables.values.first(where: { $0.entry.table == name })?.entry else { return nil }
            return dependant.statement(id: id, tenant: tenant, in: other)
        }
    }

    /// The field of `table` that an error about `owner`, another table, is about.
    static func field(of table: WrittenTable, keptIn owner: TableName) -> String? {
        guard let kept = keptElsewhere[owner], table.entry.table == TableName(schema: schema, name: kept.table) else {
            return nil
        }
        return kept.field
    }
}

extension ObjectRules.Dependant {
    fileprivate func statement(id: String, tenant: Int64, in entry: CatalogTable) -> WriteStatement {
        let (table, column) = (entry.quotedTable, SQL.identifier(self.column))
        let own = "\(SQL.identifier(entry.tenant)) = $1"
        let sql =
            switch effect {
            case .delete: "DELETE FROM \(table) WHERE \(own) AND \(column) = $2"
            case .forget: "UPDATE \(table) SET \(column) = NULL WHERE \(own) AND \(column) = $2"
            case .remove:
                "UPDATE \(table) SET \(column) = array_remove(\(column), CAST($2 AS bigint)) "
                    + "WHERE \(own) AND CAST($2 AS bigint) = ANY (\(column))"
            }
        return WriteStatement(sql, ["\(tenant)", id])
    }
}
