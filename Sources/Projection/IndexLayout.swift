package import RegionConfig
internal import RESP

/// How objects of a type are written: which columns are indexed.
package struct IndexLayout: Sendable {
    package let type: String
    /// In the order in which an object's words begin with them.
    package let indexes: [CatalogIndex]
    /// The words of a group behind its count: type, number of indexes, field and kind of each.
    let head: BulkStrings
    /// The indexed fields' names.
    let fields: [[UInt8]]

    package init(type: String, indexes: [CatalogIndex]) {
        self.type = type
        self.indexes = indexes
        fields = indexes.map { Array($0.field.utf8) }
        head = BulkStrings(
            [type, "\(indexes.count)"] + indexes.flatMap { [$0.field, $0.unique ? "u" : "s"] })
    }
}

/// The layouts of all types; a type that the catalog does not have is projected without indexes.
package struct IndexLayouts: Sendable {
    private var layouts: [String: IndexLayout] = [:]
    /// The catalog's types, in its order.
    package let types: [String]

    package init(_ catalog: Catalog) {
        types = catalog.tables.map(\.type)
        for table in catalog.tables {
            layouts[table.type] = IndexLayout(type: table.type, indexes: table.indexes)
        }
    }

    subscript(type: String) -> IndexLayout { layouts[type] ?? IndexLayout(type: type, indexes: []) }
}
