internal import Journal
internal import NIOCore
internal import RESP
internal import RESPServer

/// What a watcher is told of one object.
struct ProvisioningEvent: Hashable, Sendable {
    enum Kind: String, Hashable, Sendable {
        case created = "ObjectCreated"
        case updated = "ObjectUpdated"
        case deleted = "ObjectDeleted"
    }

    /// Its entry in the journal: the transaction's position, and its place in the transaction.
    let id: EntryID
    let kind: Kind
    let name: ProvisioningEntry.ObjectName
    /// The row as JSON, column → text or null; nil where the object was deleted. Columns that are absent are as they were.
    let data: ByteBufferView?

    /// As a watch pushes it: with a place behind which, and no earlier, another one goes on.
    func push(watch number: Int64) -> Push {
        Push([
            .text("cfg"), .integer(number), .text(id.description), .text(kind.rawValue), .tenant(name.tenant),
            .text(name.type), .text(name.key), dataReply,
        ])
    }

    /// As history lists it.
    var reply: Reply {
        .array([.text(id.description), .text(kind.rawValue), .text(name.type), .text(name.key), dataReply])
    }

    private var dataReply: Reply { data.map { Reply.bulk(ByteBuffer($0)) } ?? .null }
}

extension Push {
    /// The last push of a watch, at `position`: what happened there names no objects, so that they have to be read anew.
    /// `type` are those that it may be; nil: any.
    static func stale(watch number: Int64, at position: Position, tenant: String, type: String?) -> Push {
        Push([
            .text("cfg"), .integer(number), .text(position.description), .text("STALE"), .tenant(tenant),
            type.map { Reply.text($0) } ?? .null, .null, .null,
        ])
    }
}

extension Reply {
    fileprivate static func tenant(_ dbid: String) -> Reply { Int64(dbid).map { .integer($0) } ?? .text(dbid) }
}
