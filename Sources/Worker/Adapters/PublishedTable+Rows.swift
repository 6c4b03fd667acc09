internal import PostgresClient
internal import Provisioning
internal import RegionConfig

extension PublishedTable {
    /// SQL and parameters for the rows of these objects, whatever their keys are: they may come from a cache.
    ///
    /// Where tenant and key are integers or text their index serves; otherwise every row's text is compared.
    package func rowsQuery(_ names: [(tenant: String, key: String)]) -> (sql: String, parameters: [String?]) {
        let naming = [table.tenant] + table.key
        let types = naming.map { self.types[$0].flatMap(NamingType.init(rawValue:)) }
        guard types.allSatisfy({ $0 != nil }) else {
            return (rowsSQL, [PostgresText.array(names.map(\.tenant)), PostgresText.array(names.map(\.key))])
        }
        // A text that its column would not print names no row.
        let texts = names.compactMap { name in
            ObjectKey.columns(of: name.key, count: table.key.count).map { [name.tenant] + $0 }
        }.filter { texts in zip(texts, types).allSatisfy { $1?.prints($0) ?? false } }
        let arrays = naming.indices.map { "$\($0 + 1)::\(types[$0]?.rawValue ?? "text")[]" }
        let condition =
            "(\(naming.map(SQL.identifier).joined(separator: ", "))) IN "
            + "(SELECT * FROM unnest(\(arrays.joined(separator: ", "))))"
        return (
            selection + self.condition(condition),
            naming.indices.map { column in PostgresText.array(texts.map { $0[column] }) }
        )
    }
}

/// Types of naming columns whose texts tell by themselves whether a value can have them.
private enum NamingType: String {
    case smallint, integer, bigint, text
    case varchar = "character varying"

    func prints(_ text: String) -> Bool {
        switch self {
        case .smallint: Int16(text).map { "\($0)" == text } ?? false
        case .integer: Int32(text).map { "\($0)" == text } ?? false
        case .bigint: Int64(text).map { "\($0)" == text } ?? false
        case .text, .varchar: true
        }
    }
}
