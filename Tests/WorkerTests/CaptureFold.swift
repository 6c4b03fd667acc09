import Foundation
import Journal
import PostgresClient
import RESP
import RedisClient
import RegionConfig
import Testing

/// What a provisioning journal amounts to, folded as a reader would; and whether it keeps its rules.
struct CaptureFold: Equatable {
    typealias Object = [String: String?]

    /// `person 101/7` → its columns.
    var objects: [String: Object] = [:]
    /// Transactions in their order, by xid.
    var transactions: [String] = []
    var operations: [String: Int] = [:]

    private var run: (position: Substring, count: Int)?
    private var pending: [[String: String]] = []
    private var lastID = EntryID.zero

    static func == (left: CaptureFold, right: CaptureFold) -> Bool { left.objects == right.objects }

    mutating func apply(_ entry: RedisReply) throws {
        let parts = Array(entry.elements)
        let id = try #require(parts[0].string)
        let words = parts[1].elements.map { $0.string ?? "" }
        let fields = Dictionary(
            uniqueKeysWithValues: stride(from: 0, to: words.count, by: 2).map { (words[$0], words[$0 + 1]) })
        let entryID = try #require(EntryID(id))
        #expect(entryID > lastID)
        lastID = entryID
        let operation = fields["op", default: ""]
        operations[operation, default: 0] += 1
        switch operation {
        case "begin-snapshot":
            pending = []
            if fields["mode"] == nil { objects = [:] }
        case "commit", "end-snapshot":
            // The snapshot's own beginning counts, too.
            #expect(Int(fields["count"] ?? "") == pending.count + (operation == "commit" ? 0 : 1), "\(id)")
            for change in pending { try applyClosed(change) }
            pending = []
            if operation == "commit" { transactions.append(fields["xid"] ?? "") }
        case "": break  // somebody else's
        default:
            pending.append(fields)
        }
    }

    private mutating func applyClosed(_ fields: [String: String]) throws {
        let name = "\(fields["type"] ?? "") \(fields["tenant"] ?? "")/\(fields["key"] ?? "")"
        switch fields["op"] {
        case "put", "insert": objects[name] = try Self.columns(fields)
        case "patch":
            let origin =
                fields["fromKey"].map { "\(fields["type"] ?? "") \(fields["fromTenant"] ?? "")/\($0)" } ?? name
            let old = try #require(objects[origin], "a patch of \(origin), which is not there")
            objects[name] = old.merging(try Self.columns(fields)) { _, new in new }
        case "delete": objects[name] = nil
        case "truncate": objects = objects.filter { !$0.key.hasPrefix("\(fields["type"] ?? "") ") }
        default: Issue.record("unknown entry \(fields)")
        }
    }

    private static func columns(_ fields: [String: String]) throws -> Object {
        let json = try JSONSerialization.jsonObject(with: Data((fields["data"] ?? "").utf8))
        return try #require(json as? [String: Any]).mapValues { $0 as? String }
    }
}

extension CaptureBench {
    /// The whole journal, folded.
    func folded() async throws -> CaptureFold {
        var fold = CaptureFold()
        var from = "-"
        while true {
            let key = JournalName.provisioning(origin: "us-east").key
            let page = try await redis("XRANGE", key, from, "+", "COUNT", "5000")
            guard page.count > 0 else { return fold }
            for entry in page.elements {
                try fold.apply(entry)
                from = "(" + (entry[0]?.string ?? "")
            }
        }
    }

    /// What PostgreSQL holds, as a fold of its journal should come out.
    func stored() async throws -> [String: CaptureFold.Object] {
        var objects: [String: CaptureFold.Object] = [:]
        for table in catalog.tables {
            let rows = try await sql("SELECT * FROM \(table.table)")
            for row in rows {
                var object: CaptureFold.Object = [:]
                for column in rows.columns where !table.omit.contains(column) {
                    object.updateValue(try row.optionalString(column), forKey: column)
                }
                let key = table.key.map { (object[$0] ?? nil) ?? "" }.joined(separator: ",")
                objects["\(table.type) \((object[table.tenant] ?? nil) ?? "")/\(key)"] = object
            }
        }
        return objects
    }

    /// Fails unless the journal amounts to exactly what PostgreSQL holds, each transaction once.
    @discardableResult
    func expectInStep() async throws -> CaptureFold {
        let fold = try await folded()
        let stored = try await stored()
        let names = Set(stored.keys).symmetricDifference(fold.objects.keys)
        #expect(names.isEmpty, "\(names.sorted().prefix(5))")
        let differing = stored.filter { fold.objects[$0.key] != $0.value }.keys.sorted()
        #expect(differing.isEmpty, "\(differing.prefix(5))")
        #expect(Set(fold.transactions).count == fold.transactions.count, "a transaction came twice")
        return fold
    }
}
