internal import RegionConfig

/// Names of the keys in which a region's cache holds provisioning (journal.md, "Projection rules").
enum CacheKeys {
    /// Every key of every cache begins so.
    static let prefix = "cfg:"

    /// Hash with the provisioning cursor that trails those of all tenants.
    static let projection = "rs:{_}:projection"

    /// Hash of an object's columns, its version `_v` and digest `_d`.
    static func object(tenant: String, type: String, id: String) -> String { "cfg:{\(tenant)}:\(type):\(id)" }

    /// Set of the IDs of all objects of a type.
    static func ids(tenant: String, type: String) -> String { "cfg:{\(tenant)}:\(type)" }

    /// Hash from value to ID of a unique index; else the head of the names of one set a value.
    static func index(tenant: String, type: String, field: String) -> String { "cfg:{\(tenant)}:\(type):by:\(field)" }

    /// Hash of a type's digests: `<bucket>:n` objects, `<bucket>:d` the sum of their digests.
    static func digests(tenant: String, type: String) -> String { "rs:{\(tenant)}:digest:\(type)" }
}

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
