internal import Journal
internal import NIOCore

/// One change of provisioning, as its journal entry has it.
enum ProvisioningChange: Sendable {
    typealias ObjectName = ProvisioningEntry.ObjectName

    case put(ObjectName, data: ByteBufferView)
    /// `base` is the object that the absent columns are taken from: itself, unless its key changed.
    case patch(ObjectName, data: ByteBufferView, base: ObjectName)
    case delete(ObjectName)
    case truncate(type: String)

    /// The object that it changes; nil for `truncate`.
    var name: ObjectName? {
        switch self {
        case .put(let name, _), .patch(let name, _, _), .delete(let name): name
        case .truncate: nil
        }
    }

    /// Bytes that it keeps in memory, about.
    var byteCount: Int {
        switch self {
        case .put(_, let data), .patch(_, let data, _): data.count + 256
        case .delete, .truncate: 256
        }
    }

    static func patch(_ name: ObjectName, data: ByteBufferView, in entry: JournalEntry) -> ProvisioningChange {
        guard let tenant = entry.value(of: "fromTenant"), let key = entry.value(of: "fromKey") else {
            return .patch(name, data: data, base: name)
        }
        let base = ObjectName(
            tenant: String(decoding: tenant, as: UTF8.self), type: name.type, key: String(decoding: key, as: UTF8.self))
        return .patch(name, data: data, base: base)
    }
}
