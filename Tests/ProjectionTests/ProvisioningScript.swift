import Journal
import NIOCore
import Projection
import Provisioning
import RESP
import RegionConfig

typealias ObjectName = ProvisioningEntry.ObjectName

/// A change of provisioning as a test writes it.
enum Change: Hashable {
    case put(ObjectName, [String: String?])
    case insert(ObjectName, [String: String?])
    case patch(ObjectName, [String: String?], from: ObjectName? = nil)
    case delete(ObjectName)
    case truncate(String)
}

/// What a journal holds: transactions and snapshots in order.
struct Script {
    struct Transaction {
        var position: UInt64
        var changes: [Change]
        var isSnapshot = false
        /// Of a snapshot that is no whole one: `diff`, `due`.
        var mode: String?
        var isClosed = true
    }

    var transactions: [Transaction] = []

    static func person(_ tenant: String, _ id: Int) -> ObjectName {
        ObjectName(tenant: tenant, type: "person", key: "\(id)")
    }

    static let catalog = Catalog(tables: [
        CatalogTable(
            table: TableName(schema: "provisioning", name: "person"), type: "person", key: ["dbid"],
            tenant: "tenant_dbid",
            indexes: [CatalogIndex(field: "user_name", unique: true), CatalogIndex(field: "place", unique: false)]),
        CatalogTable(
            table: TableName(schema: "provisioning", name: "skill"), type: "skill", key: ["dbid"], tenant: "tenant_dbid"
        ),
    ])

    /// Writes the entries of one transaction to its journal.
    static func write(_ transaction: Transaction, to journal: JournalName, _ redis: PlainRedis) throws {
        for batch in stride(from: 0, to: entries(of: transaction).count, by: 200) {
            let all = entries(of: transaction)
            let commands = all[batch..<min(batch + 200, all.count)].map { id, words in
                RedisCommand(words: ["XADD", journal.key, id] + words, runs: [])
            }
            for command in commands { try redis.call(command) }
        }
    }

    static func entries(of transaction: Transaction) -> [(String, [String])] {
        var entries: [[String]] =
            transaction.isSnapshot ? [["op", "begin-snapshot"] + (transaction.mode.map { ["mode", $0] } ?? [])] : []
        for change in transaction.changes {
            switch change {
            case .put(let name, let row):
                entries.append(["op", "put"] + words(name) + ["data", json(row)])
            case .insert(let name, let row):
                entries.append(["op", "insert"] + words(name) + ["data", json(row)])
            case .patch(let name, let row, let from):
                entries.append(
                    ["op", "patch"] + words(name) + ["data", json(row)]
                        + (from.map { ["fromTenant", $0.tenant, "fromKey", $0.key] } ?? []))
            case .delete(let name): entries.append(["op", "delete"] + words(name))
            case .truncate(let type): entries.append(["op", "truncate", "type", type])
            }
        }
        if transaction.isClosed {
            entries.append([
                "op", transaction.isSnapshot ? "end-snapshot" : "commit", "count", "\(entries.count)", "end", "1",
                "xid", "1", "time", "1000",
            ])
        }
        return entries.enumerated().map { ("\(transaction.position)-\($0.offset + 1)", $0.element) }
    }

    private static func words(_ name: ObjectName) -> [String] {
        ["tenant", name.tenant, "type", name.type, "key", name.key]
    }

    static func json(_ row: [String: String?]) -> String {
        let members = row.sorted { $0.key < $1.key }.map { name, value in
            "\(quoted(name)):\(value.map(quoted) ?? "null")"
        }
        return "{\(members.joined(separator: ","))}"
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for character in text.unicodeScalars {
            switch character {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            default: quoted.unicodeScalars.append(character)
            }
        }
        return quoted + "\""
    }
}

/// What a cache must hold: applies transactions whole, in order.
struct ProvisioningModel: Equatable {
    var objects: [ObjectName: [String: String]] = [:]

    mutating func apply(_ transaction: Script.Transaction) {
        guard transaction.isClosed else { return }
        if transaction.isSnapshot, transaction.mode == nil { objects.removeAll() }
        for change in transaction.changes {
            switch change {
            case .put(let name, let row), .insert(let name, let row): objects[name] = row.compactMapValues { $0 }
            case .patch(let name, let row, let from):
                guard var object = objects[from ?? name] else { continue }
                for (column, value) in row { object[column] = value }
                objects[name] = object
            case .delete(let name): objects[name] = nil
            case .truncate(let type): objects = objects.filter { $0.key.type != type }
            }
        }
    }
}

/// What a cache holds, read back and checked in itself: every index, set and digest is what the objects make it.
struct CacheImage {
    var objects: [ObjectName: [String: String]] = [:]
    var problems: [String] = []

    init(_ redis: PlainRedis, tenants: [String], catalog: Catalog = Script.catalog) throws {
        var digester = Digester()
        for tenant in tenants {
            for table in catalog.tables {
                let type = table.type
                let ids = try redis.members(ProjectionKeys.objects(tenant: tenant, type: type))
                var expected: [String: [String: String]] = [:]
                var sets: [String: Set<String>] = [:]
                var buckets: [Int: BucketDigest] = [:]
                for id in ids {
                    var row = try redis.hash(ProjectionKeys.object(tenant: tenant, type: type, id: id))
                    let digest = row.removeValue(forKey: "_d")
                    if row.removeValue(forKey: "_v") == nil { problems.append("\(type) \(id): no version") }
                    let computed = digester.digest(key: id, columns: row.map { ($0.key, $0.value) })
                    if digest != "\(computed.value)" { problems.append("\(type) \(id): digest") }
                    buckets[Bucket.index(ofKey: id.utf8), default: BucketDigest()].insert(computed)
                    for index in table.indexes {
                        guard let value = row[index.field] else { continue }
                        if index.unique {
                            expected[index.field, default: [:]][value] = id
                        } else {
                            let key = ProjectionKeys.index(tenant: tenant, type: type, field: index.field, value: value)
                            sets[key, default: []].insert(id)
                        }
                    }
                    objects[ObjectName(tenant: tenant, type: type, key: id)] = row
                }
                try check(redis, tenant, table, expected, sets, buckets)
            }
        }
    }

    static func bucket(of key: String) -> Int { Bucket.index(ofKey: key.utf8) }

    /// The objects that are not as the model has them: `cache` against `model`.
    func differences(from model: ProvisioningModel) -> [String] {
        Set(objects.keys).union(model.objects.keys).filter { objects[$0] != model.objects[$0] }.map { name in
            "\(name.tenant) \(name.type) \(name.key): \(objects[name] ?? [:]) against \(model.objects[name] ?? [:])"
        }.sorted()
    }

    private mutating func check(
        _ redis: PlainRedis, _ tenant: String, _ table: CatalogTable, _ expected: [String: [String: String]],
        _ sets: [String: Set<String>], _ buckets: [Int: BucketDigest]
    ) throws {
        for index in table.indexes {
            let key = ProjectionKeys.index(tenant: tenant, type: table.type, field: index.field)
            if index.unique {
                let found = try redis.hash(key)
                if found != expected[index.field] ?? [:] { problems.append("\(key): \(found)") }
            } else {
                let keys = try redis("KEYS", "\(key):*").elements.compactMap(\.text)
                if Set(keys) != Set(sets.keys.filter { $0.hasPrefix(key + ":") }) { problems.append("\(key): \(keys)") }
                for key in keys where try redis.members(key) != sets[key] { problems.append(key) }
            }
        }
        let totals = try redis.hash(ProjectionKeys.digests(tenant: tenant, type: table.type))
        var found: [Int: BucketDigest] = [:]
        for (field, count) in totals where field.hasSuffix(":n") && count != "0" {
            guard let bucket = Int(field.dropLast(2)), let count = Int(count), let sum = totals["\(bucket):d"] else {
                problems.append("digest field \(field)")
                continue
            }
            found[bucket] = BucketDigest(count: count, sum: UInt64(sum) ?? 0)
        }
        if found != buckets { problems.append("digests of \(table.type) in \(tenant)") }
    }
}
