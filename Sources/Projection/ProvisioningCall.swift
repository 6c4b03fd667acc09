package import Journal
package import RESP

/// A call of `rsp2_provision`: changes of one tenant and the cursor around them.
package struct ProvisioningCall: Sendable {
    package let tenant: String
    package let objects: Int
    package let command: RedisCommand

    /// Changes state and moves the tenant from one cursor to the next.
    init(tenant: String, groups: ObjectGroups, from: TenantCursor, to next: TenantCursor) {
        self.tenant = tenant
        objects = groups.objects
        command = RedisCommand(
            words: [
                "FCALL", "rsp2_provision", "1", ProjectionKeys.cursors(tenant: tenant), tenant,
                from.position.description, from.mark, next.position.description, next.mark,
            ], runs: groups.runs)
    }
}

/// How far a tenant's provisioning is projected.
package struct TenantCursor: Hashable, Sendable {
    /// The last transaction that is there whole.
    package var position: Position
    /// What stands in `applying`: `<position>:<part>` of a transaction that is half there; empty without one.
    package var mark: String

    package init(_ position: Position = .zero, mark: String = "") {
        self.position = position
        self.mark = mark
    }
}

/// A walk over all objects of a type, to delete those that a TRUNCATE or a snapshot left behind.
package struct ObjectWalk: Hashable, Sendable {
    package let tenant: String
    package let type: String
    /// Objects of this version and later stay; nil deletes all.
    package let below: Position?
    /// Where the walk goes on; `0` at its beginning.
    package internal(set) var scan = "0"

    /// The command for one step; it answers `[scan, id…]`.
    package var command: RedisCommand {
        RedisCommand(
            "FCALL_RO", "rsp2_older", "1", ProjectionKeys.cursors(tenant: tenant), tenant, type,
            below?.description ?? "", scan, "256")
    }

    /// What a step found.
    package struct Answer: Hashable, Sendable {
        /// Where the walk goes on; `0` at its end.
        package let scan: String
        package let ids: [String]

        package init(scan: String, ids: [String]) {
            self.scan = scan
            self.ids = ids
        }
    }
}

/// A call to which transactions of one tenant may still be added.
struct JoinedCall: Sendable {
    var groups = ObjectGroups()
    var last: Position
}

/// A transaction held whole.
struct WholeTransaction: Sendable {
    let position: Position
    var changes: [ProvisioningChange]
    let time: Int64
    let snapshot: ProvisioningEntry.Snapshot?
    var isResolved = false
}

/// The transaction or snapshot that is being applied in chunks.
struct ChunkedRun: Sendable {
    let journal: JournalName
    let position: Position
    var snapshot: ProvisioningEntry.Snapshot?
    /// Tenants that it changes, and the number of calls given out for each.
    var parts: [String: Int] = [:]
}

/// What is known to be applied and waits for its turn.
enum Work: Sendable {
    case whole(WholeTransaction)
    case chunk([ProvisioningChange], isResolved: Bool)
    /// Delete the objects of these types in all tenants that have not seen this position yet.
    case clear(types: [String], below: Position?)
    case walk([ObjectWalk])
    /// `time` is that of the commit; nil where it is not known.
    case finish(time: Int64?)
}
