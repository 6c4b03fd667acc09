internal import RegionConfig
internal import Worker

/// What a key of a cache is.
enum CacheKey {
    case ids(table: Int, tenant: String)
    case object(table: Int, tenant: String, id: String)
    /// A hash from value to ID.
    case uniqueIndex(table: Int, tenant: String, index: Int)
    /// The set of the IDs that have this value.
    case indexSet(table: Int, tenant: String, index: Int, value: String)
    /// Of no table of the catalog.
    case foreign

    /// Tells the kinds apart by the catalog's types and indexes.
    init(_ key: String, tables: [PublishedTable]) {
        self = .foreign
        guard key.hasPrefix("cfg:{"), let close = key.firstIndex(of: "}") else { return }
        let tenant = String(key[key.index(key.startIndex, offsetBy: 5)..<close])
        let rest = key[key.index(after: close)...].dropFirst()
        let type = rest.prefix { $0 != ":" }
        guard let table = tables.firstIndex(where: { $0.table.type == type }) else { return }
        guard type.endIndex < rest.endIndex else {
            self = .ids(table: table, tenant: tenant)
            return
        }
        let name = rest[rest.index(after: type.endIndex)...]
        guard name.hasPrefix("by:") else {
            self = .object(table: table, tenant: tenant, id: String(name))
            return
        }
        let pair = name.dropFirst(3)
        let field = pair.prefix { $0 != ":" }
        guard let index = tables[table].table.indexes.firstIndex(where: { $0.field == field }) else { return }
        if tables[table].table.indexes[index].unique {
            if field.endIndex == pair.endIndex { self = .uniqueIndex(table: table, tenant: tenant, index: index) }
        } else if field.endIndex < pair.endIndex {
            let value = String(pair[pair.index(after: field.endIndex)...])
            self = .indexSet(table: table, tenant: tenant, index: index, value: value)
        }
    }
}
