extension CatalogTable: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case table, type, key, tenant, indexes, omit
    }

    static let shape = Shape(
        CodingKeys.self,
        [.key: .scalars, .omit: .scalars, .indexes: .list(CatalogIndex.shape, namedBy: nil)])

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        table = try Self.tableName(reader)
        type = try reader.name(.type, .objectType, default: table.name)
        key = try Self.columns(reader, .key)
        guard !key.isEmpty else { throw reader.failure(.key, "expected the column or columns that identify a row") }
        tenant = try reader.name(.tenant, .identifier)
        indexes = try reader.sections(.indexes)
        omit = try Self.columns(reader, .omit)
        for column in omit where identity.contains(column) || indexes.contains(where: { $0.field == column }) {
            throw reader.failure(.omit, "\"\(column)\" is key, tenant or indexed and cannot be left out")
        }
        if let twice = firstRepeated(indexes.map(\.field)) {
            throw reader.failure(.indexes, "\"\(twice)\" is indexed twice")
        }
    }

    private static func tableName(_ reader: SectionReader<CodingKeys>) throws -> TableName {
        let text = try reader.text(.table)
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, parts.allSatisfy(NameKind.identifier.matches) else {
            throw reader.failure(.table, "expected schema.table, found \"\(text)\"")
        }
        return TableName(schema: parts[0], name: parts[1])
    }

    private static func columns(_ reader: SectionReader<CodingKeys>, _ key: CodingKeys) throws -> [String] {
        let columns = try reader.texts(key)
        if let wrong = columns.first(where: { !NameKind.identifier.matches($0) }) {
            throw reader.failure(key, "expected \(NameKind.identifier.expectation), found \"\(wrong)\"")
        }
        if let twice = firstRepeated(columns) { throw reader.failure(key, "\"\(twice)\" stands twice") }
        return columns
    }
}

extension CatalogIndex: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case field, unique
    }

    static let shape = Shape(CodingKeys.self)

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        field = try reader.name(.field, .identifier)
        unique = try reader.flag(.unique, default: false)
    }
}

/// The file that `catalogFile` names: nothing but a `catalog` list, so that it can be moved into a region file as it is.
struct CatalogFile: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case catalog
    }

    static let shape = Shape(CodingKeys.self, [.catalog: .list(CatalogTable.shape, namedBy: nil)])

    let catalog: Catalog

    init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        catalog = try Catalog(reader, .catalog)
    }
}

extension Catalog {
    /// The tables listed under `key`: at least one, none twice.
    init<Key: CodingKey>(_ reader: SectionReader<Key>, _ key: Key) throws {
        tables = try reader.sections(key)
        guard !tables.isEmpty else { throw reader.failure(key, "expected a list of at least one table") }
        if let index = firstRepetition(in: tables.map(\.type)) {
            throw reader.failure(key, at: index, "the object type \"\(tables[index].type)\" stands twice")
        }
        if let index = firstRepetition(in: tables.map(\.table)) {
            throw reader.failure(key, at: index, "the table \(tables[index].table) stands twice")
        }
    }
}

/// The first value that stands in `values` again.
func firstRepeated<Value: Hashable>(_ values: [Value]) -> Value? {
    firstRepetition(in: values).map { values[$0] }
}

/// Where the first value stands that stands in `values` before.
func firstRepetition<Value: Hashable>(in values: [Value]) -> Int? {
    var seen: Set<Value> = []
    return values.firstIndex { !seen.insert($0).inserted }
}
