package import Journal
package import RESP

/// A call of `rsp1_provision`: changes of one tenant and the cursor around them.
package struct ProvisioningCall: Sendable {
    package let tenant: String
    package let objects: Int
    package let command: RedisCommand

    init(tenant: String, groups: ObjectGroups, expected: Position, step: Step) {
        self.tenant = tenant
        objects = groups.objects
        let (next, mark) =
            switch step {
            case .whole(let position): (position.description, "")
            case .chunk(let position): ("", position.description)
            }
        command = RedisCommand(
            words: [
                "FCALL", "rsp1_provision", "1", ProjectionKeys.cursors(tenant: tenant), tenant, expected.description,
                next, mark,
            ], runs: groups.runs)
    }

    /// What a call is of its transaction.
    enum Step {
        /// Whole transactions, the last at this position; or what is left of one that was applied in parts.
        case whole(Position)
        /// A part; more follows under the mark.
        case chunk(Position)
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
            "FCALL_RO", "rsp1_older", "1", ProjectionKeys.cursors(tenant: tenant), tenant, type,
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
    var isResolved = false
}

/// The transaction or snapshot that is being applied in chunks.
struct ChunkedRun: Sendable {
    let journal: JournalName
    let position: Position
    var isSnapshot: Bool
    /// Tenants that carry the mark, or may carry it since before a kill.
    var tenants: Set<String> = []
}

/// What is known to be applied and waits for its turn.
enum Work: Sendable {
    case whole(WholeTransaction)
    case chunk([ProvisioningChange], isResolved: Bool)
    /// Delete the objects of these types in all tenants that have not seen this position yet.
    case clear(types: [String], below: Position?)
    case walk([ObjectWalk])
    case finish(time: Int64)
}
