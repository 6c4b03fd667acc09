internal import Journal
internal import Provisioning

/// Names of the keys that hold projected state (journal.md, "Projection rules").
package enum ProjectionKeys {
    /// Hash of a tenant's cursors: `provisioning`, `voice:<region>`, and `applying` while a transaction is half there; with
    /// `replaced`, how many keys of its cache held something else and were replaced.
    package static func cursors(tenant: String) -> String { "rs:{\(tenant)}:projection" }

    /// Field of `cursors(tenant:)`: the cursor of a region's voice journal.
    package static func voiceCursor(origin: String) -> String { "voice:\(origin)" }

    /// Field of `cursors(tenant:)` while a region counts as down: where its voice journal was cut (`JournalCut`).
    package static func voiceCut(origin: String) -> String { "cut:voice:\(origin)" }

    /// Field of `cursors(tenant:)` since a region that counted as down has rejoined: what of its voice journal stays out of
    /// all state, `<cut> <entries> <end>`.
    package static func voiceTail(origin: String) -> String { "tail:voice:\(origin)" }

    /// Field of `cursors(tenant:)`: as of which entry a region's voice journal was restated, where some of it is missing
    /// here; zero where it was whole from the beginning (`Wholeness`).
    package static func restated(origin: String) -> String { "restated:voice:\(origin)" }

    /// Field of `trailing` while a region's request to restate is not answered: `RestateRequest.note`.
    package static func asked(by region: String) -> String { "asked:\(region)" }

    /// Field of `trailing`: the cursor of a region's control journal.
    package static func controlCursor(origin: String) -> String { "control:\(origin)" }

    /// Field of `trailing`: when the region was heard last, and what it said (`RegionHeard`).
    package static func heard(origin: String) -> String { "heard:\(origin)" }

    /// Field of `trailing` while the region counts as down: `<history> <entry that declared it>`, with the region whose
    /// control journal has the entry between them if that is another.
    package static func down(region: String) -> String { "down:\(region)" }

    /// Field of `trailing` while a region that has rejoined by the survivor's word counts as down still: `<time> <what
    /// stands in down>`, ms since 1970 by this Redis.
    package static func rejoining(region: String) -> String { "rejoining:\(region)" }

    /// Hash with the provisioning cursor that trails those of all tenants, and what is known of other regions.
    package static let trailing = "rs:{_}:projection"

    /// Field of `trailing`: the last gap in the copy of a region's provisioning journal of which the cache was marked.
    package static func gap(origin: String) -> String { "gap:\(origin)" }

    /// `<number> <run>`: a history that another region is about to begin, by this run of a failback, or by none any more.
    /// Until it has, or this expires, a server whose histories are older is not captured from.
    package static let reservedHistory = "rs:{_}:reserved-history"

    /// Set of `<type>:<id>` that could not be projected and must be read from PostgreSQL again.
    package static func quarantine(tenant: String) -> String { "rs:{\(tenant)}:quarantine" }

    /// Hash of the objects of a type that somebody is about to put right, and who (`RepairFunctions`).
    package static func watches(tenant: String, type: String) -> String { "rs:{\(tenant)}:watch:\(type)" }

    /// Set of the IDs of agents who have a session in this region that a login elsewhere made void.
    package static func superseded(tenant: String) -> String { "rs:{\(tenant)}:superseded" }

    /// Hash of an object's columns, with its version `_v` and digest `_d`; a column that is NULL is not there.
    package static func object(tenant: String, type: String, id: String) -> String {
        "cfg:{\(tenant)}:\(type):\(id)"
    }

    /// Set of the IDs of all objects of a type.
    package static func objects(tenant: String, type: String) -> String { "cfg:{\(tenant)}:\(type)" }

    /// Hash from an indexed field's value to the ID, where the index is unique; else the head of the sets' names.
    package static func index(tenant: String, type: String, field: String) -> String {
        "cfg:{\(tenant)}:\(type):by:\(field)"
    }

    /// Set of the IDs of the objects whose indexed field has this value, where the index is not unique.
    package static func index(tenant: String, type: String, field: String, value: String) -> String {
        "cfg:{\(tenant)}:\(type):by:\(field):\(value)"
    }

    /// Hash of a type's digests, by bucket: `<bucket>:n` objects, `<bucket>:d` sum of their digests, to be taken modulo
    /// 2^48. A field `rebuild` says that all of the type is to be written anew.
    package static func digests(tenant: String, type: String) -> String { "rs:{\(tenant)}:digest:\(type)" }

    /// The field of a bucket's sum in `digests`.
    package static func digestField(bucket: Int) -> String { "\(bucket):d" }

    /// Hash of a call: one field an attribute, one a party.
    package static func call(tenant: String, connID: String) -> String { "call:{\(tenant)}:\(connID)" }

    /// Set of the ConnIDs of a tenant's calls that have not ended.
    package static func activeCalls(tenant: String) -> String { "calls:{\(tenant)}:active" }

    /// Hash of an agent, over all regions.
    package static func agent(tenant: String, agentID: String) -> String { "agent:{\(tenant)}:\(agentID)" }
}

extension ProvisioningEntry.ObjectName {
    /// Whether its key in the cache would be that of an index. Such an object is never written, read or deleted there.
    var isOfIndex: Bool { key.hasPrefix("by:") }
}
