internal import Journal
internal import NIOCore
internal import Projection
internal import Provisioning
internal import RedisClient
internal import RegionConfig
internal import RESP
internal import Worker

/// Compares single objects: which commands to ask a cache, and what the answers mean.
struct ObjectComparison: Sendable {
    let tables: [PublishedTable]

    private static let version = ByteBuffer(string: "_v")
    private static let digest = ByteBuffer(string: "_d")

    // MARK: An object that PostgreSQL has

    func commands(for row: StoredObject, of table: Int) -> [RedisCommand] {
        let catalog = tables[table].table
        let (tenant, type) = (row.tenant, catalog.type)
        var commands = [
            RedisCommand("HGETALL", ProjectionKeys.object(tenant: tenant, type: type, id: row.key)),
            RedisCommand("SISMEMBER", ProjectionKeys.objects(tenant: tenant, type: type), row.key),
        ]
        for (index, value) in indexed(row, of: table) {
            let key = ProjectionKeys.index(tenant: tenant, type: type, field: catalog.indexes[index].field)
            let text = String(buffer: value)
            commands.append(
                catalog.indexes[index].unique
                    ? RedisCommand("HGET", key, text) : RedisCommand("SISMEMBER", "\(key):\(text)", row.key))
        }
        return commands
    }

    /// Takes the answers to `commands` from the front of `replies`.
    func problem(
        with row: StoredObject, of table: Int, in replies: inout ArraySlice<RedisReply>
    ) -> CacheProblem? {
        guard let hash = replies.popFirst(), let member = replies.popFirst() else { return .missing }
        var unindexed: CacheProblem?
        for (index, _) in indexed(row, of: table) {
            let named = replies.popFirst()
            if named?.integer != 1, named?.string != row.key, unindexed == nil {
                unindexed = .unindexed(field: tables[table].table.indexes[index].field)
            }
        }
        if hash.count == 0 { return .missing }
        let columns = differences(of: row, from: hash, tables[table])
        if !columns.isEmpty { return .different(columns: columns) }
        if member.integer != 1 { return .unlisted }
        return unindexed
    }

    private func indexed(_ row: StoredObject, of table: Int) -> [(index: Int, value: ByteBuffer)] {
        tables[table].indexPlaces.enumerated().compactMap { index, place in
            place.flatMap { row.values[$0] }.map { (index, $0) }
        }
    }

    /// The columns in which a hash is not the row, in alphabetical order; `_d` stands for the digest.
    private func differences(of row: StoredObject, from hash: RedisReply, _ table: PublishedTable) -> [String] {
        var wrong: [String] = []
        var held = 0
        var hasDigest = false
        var fields = hash.elements
        while let name = fields.next()?.bytes, let value = fields.next()?.bytes {
            if name == Self.version { continue }
            if name == Self.digest {
                hasDigest = UInt64(String(buffer: value)) == row.digest.value
            } else if let place = table.places[name], let expected = row.values[place] {
                held += 1
                if expected != value { wrong.append(table.columns[place]) }
            } else {
                wrong.append(String(buffer: name))
            }
        }
        if held < row.values.count(where: { $0 != nil }) {
            let names = Set(hash.elements.enumerated().filter { $0.offset % 2 == 0 }.compactMap(\.element.bytes))
            for (name, place) in table.places where row.values[place] != nil && !names.contains(name) {
                wrong.append(table.columns[place])
            }
        }
        if wrong.isEmpty, !hasDigest { wrong.append("_d") }
        return wrong.sorted()
    }

    // MARK: An object that PostgreSQL does not have

    func absenceCommands(tenant: String, key: String, of table: Int) -> [RedisCommand] {
        let type = tables[table].table.type
        return [
            RedisCommand("EXISTS", ProjectionKeys.object(tenant: tenant, type: type, id: key)),
            RedisCommand("SISMEMBER", ProjectionKeys.objects(tenant: tenant, type: type), key),
        ]
    }

    // MARK: An index entry

    /// Asks what the entry names under its value, and what the object says.
    func commands(
        forEntry value: ByteBuffer, of id: String, index: Int, tenant: String, table: Int
    ) -> [RedisCommand] {
        let catalog = tables[table].table
        let index = catalog.indexes[index]
        let key = ProjectionKeys.index(tenant: tenant, type: catalog.type, field: index.field)
        var word = BulkStrings()
        let entry: RedisCommand
        if index.unique {
            word.append(value)
            entry = RedisCommand(["HGET", key], word)
        } else {
            word.append("\(key):".utf8 + Array(value.readableBytesView))
            word.append(id)
            entry = RedisCommand(["SISMEMBER"], word)
        }
        return [
            entry, RedisCommand("HGET", ProjectionKeys.object(tenant: tenant, type: catalog.type, id: id), index.field),
        ]
    }
}
