package import Journal
internal import NIOCore
internal import Provisioning

/// An object as the server holds it.
package struct StoredRow: Hashable, Sendable {
    /// Columns that are not NULL.
    package var columns: [String: String]
    /// Where it was last changed.
    package var version: Position?

    package init(columns: [String: String], version: Position?) {
        self.columns = columns
        self.version = version
    }
}

extension ProvisioningFold {
    func hasPatches(_ changes: [ProvisioningChange]) -> Bool {
        changes.contains { if case .patch = $0 { true } else { false } }
    }

    /// Asks for the objects that patches need and that no change before them gives; false when there are none.
    mutating func fetchBases(of changes: [ProvisioningChange]) -> Bool {
        var known: Set<ObjectName> = []
        var needed: [ObjectName] = []
        for change in changes {
            if case .patch(let name, _, let base) = change {
                for object in [base, name] where !object.isOfIndex && known.insert(object).inserted {
                    needed.append(object)
                }
            } else if let name = change.name {
                known.insert(name)
            }
        }
        guard !needed.isEmpty else { return false }
        ready.append(.fetch(needed))
        isWaiting = true
        return true
    }

    /// The changes with patches made into puts. One whose object is not there is quarantined.
    ///
    /// A transaction may be applied a second time after a kill. An object that already has its position holds the patch,
    /// and is its own base: what it was moved from may be gone, or another object by now.
    mutating func resolve(
        _ changes: [ProvisioningChange], at position: Position, _ fetched: [ObjectName: StoredRow]
    ) -> [ProvisioningChange] {
        guard hasPatches(changes) else { return changes }
        var rows = fetched
        var resolved: [ProvisioningChange] = []
        resolved.reserveCapacity(changes.count)
        for change in changes {
            switch change {
            case .put(let name, let data):
                rows[name] = StoredRow(data, version: nil)
                resolved.append(change)
            case .delete(let name):
                rows[name] = nil
                resolved.append(change)
            case .patch(let name, let data, let base):
                guard !name.isOfIndex else {
                    quarantine(name, .keyOfIndex)
                    continue
                }
                let own = rows[name].flatMap { $0.version == position ? $0 : nil }
                guard var row = own ?? rows[base] else {
                    quarantine(name, .patchWithoutObject)
                    continue
                }
                guard row.merge(data) else {
                    quarantine(name, .unreadableRow)
                    continue
                }
                row.version = nil
                rows[name] = row
                resolved.append(.put(name, data: row.data))
            case .truncate:
                resolved.append(change)
            }
        }
        return resolved
    }
}

extension StoredRow {
    /// nil when the row data cannot be read.
    init?(_ data: ByteBufferView, version: Position?) {
        self.init(columns: [:], version: version)
        guard merge(data) else { return nil }
    }

    /// Writes the columns of `data` over the row's; false when they cannot be read.
    mutating func merge(_ data: ByteBufferView) -> Bool {
        unsafe data.withUnsafeBytes { bytes in
            let span = unsafe RawSpan(_unsafeBytes: bytes)
            var reader = RowDataReader()
            do throws(RowDataError) {
                while let column = try reader.next(in: span) {
                    let name = try column.name.string(from: span)
                    if let value = column.value {
                        columns[name] = try value.string(from: span)
                    } else {
                        columns[name] = nil
                    }
                }
                return true
            } catch {
                return false
            }
        }
    }

    /// The row as an entry's `data` has it.
    var data: ByteBufferView {
        var bytes = [UInt8(ascii: "{")]
        for (name, value) in columns {
            if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
            RowData.append(quoted: name, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            RowData.append(quoted: value, to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
        return ByteBuffer(bytes: bytes).readableBytesView
    }
}
