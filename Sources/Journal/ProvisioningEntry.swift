package import NIOCore
package import RESP

/// An entry of a `provisioning` journal.
///
/// Fields on the wire: `op`, then what the operation needs of `tenant type key data`, or of `count end xid time`. Entries
/// of one transaction share the first half of their IDs (its `Position`) and end with `commit`.
package enum ProvisioningEntry: Sendable, Hashable {
    /// The object is now exactly this. `data` is a JSON object, column → text or null.
    case put(ObjectName, data: ByteBufferView)
    /// The same, and the row was inserted: the object was not there before. Who keeps state need not tell it from `put`,
    /// which stands for a row that was updated, or read for a snapshot.
    case insert(ObjectName, data: ByteBufferView)
    /// The columns in `data` changed; the others, unchanged TOAST values, are as they were.
    case patch(ObjectName, data: ByteBufferView)
    case delete(ObjectName)
    /// Every object of the type is gone, in all tenants.
    case truncate(type: String)
    /// What follows up to `endSnapshot` was read from PostgreSQL at one instant.
    case beginSnapshot(Snapshot)
    case endSnapshot(Closing)
    /// The transaction is complete.
    case commit(Closing)

    /// An object as journals and caches name it.
    package struct ObjectName: Sendable, Hashable {
        /// dbid of the tenant, decimal.
        package let tenant: String
        /// Object type of the catalog, e.g. `person`.
        package let type: String
        /// Key columns' text, joined by `,` (`ObjectKey` says how they are escaped).
        package let key: String

        package init(tenant: String, type: String, key: String) {
            self.tenant = tenant
            self.type = type
            self.key = key
        }
    }

    /// What a snapshot says of the objects that it does not name: the field `mode` of `begin-snapshot`, absent for a
    /// whole one.
    package enum Snapshot: String, Sendable {
        /// They are gone.
        case whole
        /// They are as they were: it names only what differed from the cache of the region that captures.
        case diff
        /// They may be wrong until the next snapshot: changes were missed. It names nothing.
        case due
    }

    /// What a closing entry says of the run that it closes.
    package struct Closing: Sendable, Hashable {
        /// Number of entries before the closing one.
        package let count: UInt64
        /// End LSN: where replication resumes behind the transaction.
        package let end: UInt64
        /// Transaction ID in PostgreSQL; 0 for a snapshot.
        package let xid: UInt32
        /// Commit time by PostgreSQL's clock, µs since 1970.
        package let time: Int64

        package init(count: UInt64, end: UInt64, xid: UInt32, time: Int64) {
            self.count = count
            self.end = end
            self.xid = xid
            self.time = time
        }
    }

    /// The word in the `op` field.
    package enum Operation: String, Sendable, CaseIterable {
        case put, insert, patch, delete, truncate, commit
        case beginSnapshot = "begin-snapshot"
        case endSnapshot = "end-snapshot"
    }
}

extension ProvisioningEntry {
    /// Why an entry of a provisioning journal cannot be read.
    package enum Unreadable: Error, Hashable, Sendable {
        case unknownOperation
        /// The field is missing or holds what it cannot.
        case field(String)
    }

    package init(_ entry: JournalEntry) throws(Unreadable) {
        let fields = Fields(["op", "tenant", "type", "key", "data", "mode"], of: entry)
        guard let operation = Operation(rawValue: (try? fields.text(0)) ?? "") else { throw .unknownOperation }
        switch operation {
        case .put: self = .put(try fields.objectName(), data: try fields.bytes(4))
        case .insert: self = .insert(try fields.objectName(), data: try fields.bytes(4))
        case .patch: self = .patch(try fields.objectName(), data: try fields.bytes(4))
        case .delete: self = .delete(try fields.objectName())
        case .truncate: self = .truncate(type: try fields.text(2))
        case .beginSnapshot: self = .beginSnapshot(try fields.snapshot(5))
        case .endSnapshot: self = .endSnapshot(try Closing(entry))
        case .commit: self = .commit(try Closing(entry))
        }
    }
}

/// The fields of an entry that are asked for, by their place in the list of names.
private struct Fields<let count: Int> {
    let entry: JournalEntry
    let names: InlineArray<count, StaticString>
    let places: InlineArray<count, Range<Int>?>

    init(_ names: InlineArray<count, StaticString>, of entry: JournalEntry) {
        self.entry = entry
        self.names = names
        places = entry.places(of: names)
    }

    func bytes(_ index: Int) throws(ProvisioningEntry.Unreadable) -> ByteBufferView {
        entry.bytes(at: try place(index))
    }

    func text(_ index: Int) throws(ProvisioningEntry.Unreadable) -> String { entry.text(at: try place(index)) }

    func number<Number: FixedWidthInteger>(_ index: Int) throws(ProvisioningEntry.Unreadable) -> Number {
        guard let number = Number(try text(index)) else { throw .field("\(names[index])") }
        return number
    }

    func snapshot(_ index: Int) throws(ProvisioningEntry.Unreadable) -> ProvisioningEntry.Snapshot {
        guard places[index] != nil else { return .whole }
        guard let snapshot = ProvisioningEntry.Snapshot(rawValue: try text(index)) else {
            throw .field("\(names[index])")
        }
        return snapshot
    }

    /// The object that the fields behind the first name.
    func objectName() throws(ProvisioningEntry.Unreadable) -> ProvisioningEntry.ObjectName {
        let tenant = try text(1)
        guard !tenant.isEmpty, tenant.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else {
            throw .field("tenant")
        }
        return ProvisioningEntry.ObjectName(tenant: tenant, type: try text(2), key: try text(3))
    }

    private func place(_ index: Int) throws(ProvisioningEntry.Unreadable) -> Range<Int> {
        guard let place = places[index] else { throw .field("\(names[index])") }
        return place
    }
}

extension ProvisioningEntry.Closing {
    fileprivate init(_ entry: JournalEntry) throws(ProvisioningEntry.Unreadable) {
        let fields = Fields(["count", "end", "xid", "time"], of: entry)
        count = try fields.number(0)
        end = try fields.number(1)
        xid = try fields.number(2)
        time = try fields.number(3)
    }
}

extension EntryBatchBuilder {
    /// Adds `put`, `insert` or `patch`; `data` appends exactly one string, the JSON object of the row.
    package mutating func append(
        _ operation: ProvisioningEntry.Operation, _ object: ProvisioningEntry.ObjectName, id: EntryID,
        data: (inout BulkStrings) -> Void
    ) {
        append(id: id, fields: 5) { strings in
            strings.append("op")
            strings.append(operation.rawValue)
            Self.write(object, to: &strings)
            strings.append("data")
            data(&strings)
        }
    }

    package mutating func appendDelete(_ object: ProvisioningEntry.ObjectName, id: EntryID) {
        append(id: id, fields: 4) { strings in
            strings.append("op")
            strings.append(ProvisioningEntry.Operation.delete.rawValue)
            Self.write(object, to: &strings)
        }
    }

    package mutating func appendTruncate(type: String, id: EntryID) {
        append(id: id, fields: 2) { strings in
            for word in ["op", ProvisioningEntry.Operation.truncate.rawValue, "type", type] { strings.append(word) }
        }
    }

    package mutating func appendBeginSnapshot(_ snapshot: ProvisioningEntry.Snapshot, id: EntryID) {
        let mode = snapshot == .whole ? [] : ["mode", snapshot.rawValue]
        append(id: id, fields: 1 + mode.count / 2) { strings in
            for word in ["op", ProvisioningEntry.Operation.beginSnapshot.rawValue] + mode { strings.append(word) }
        }
    }

    /// Adds `commit` or `end-snapshot`.
    package mutating func append(
        _ operation: ProvisioningEntry.Operation, closing: ProvisioningEntry.Closing, id: EntryID
    ) {
        append(id: id, fields: 5) { strings in
            for word in [
                "op", operation.rawValue, "count", "\(closing.count)", "end", "\(closing.end)", "xid", "\(closing.xid)",
                "time", "\(closing.time)",
            ] { strings.append(word) }
        }
    }

    private static func write(_ object: ProvisioningEntry.ObjectName, to strings: inout BulkStrings) {
        strings.append("tenant")
        strings.append(object.tenant)
        strings.append("type")
        strings.append(object.type)
        strings.append("key")
        strings.append(object.key)
    }
}
