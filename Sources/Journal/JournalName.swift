/// What a journal is about; the middle word of its key.
package enum Topic: String, Hashable, Sendable, CaseIterable {
    /// What the capturing region read from PostgreSQL, all tenants, in commit order.
    case provisioning
    /// Calls and agents of one tenant born in one region, in one order.
    case voice
    /// Probes, heartbeats, role changes, "region declared down".
    case control
    /// Call-control requests for the voice front ends; never mirrored, or the peer's front ends would dial too.
    case requests
}

/// The name of a journal: topic, tenant and region of birth. Every region holds its copy under the same key.
package struct JournalName: Hashable, Sendable {
    package let topic: Topic
    /// The tenant's dbid as decimal text, or `_` for journals of no single tenant. It is the key's hash tag, so that all
    /// of a tenant's keys live in one slot of a Redis Cluster.
    package let tenant: String
    /// The region whose writers fill the journal.
    package let origin: String

    package init(_ topic: Topic, tenant: String, origin: String) {
        self.topic = topic
        self.tenant = tenant
        self.origin = origin
    }

    package static func provisioning(origin: String) -> JournalName {
        JournalName(.provisioning, tenant: "_", origin: origin)
    }

    package static func control(origin: String) -> JournalName {
        JournalName(.control, tenant: "_", origin: origin)
    }

    package static func voice(tenant: String, origin: String) -> JournalName {
        JournalName(.voice, tenant: tenant, origin: origin)
    }

    /// Reads a key of the form `rs:{<tenant>}:<topic>:<region>`; nil for any other key.
    package init?(key: some StringProtocol) {
        guard key.hasPrefix("rs:{"), let close = key.firstIndex(of: "}") else { return nil }
        let tenant = key[key.index(key.startIndex, offsetBy: 4)..<close]
        let rest = key[key.index(after: close)...].split(separator: ":", omittingEmptySubsequences: false)
        guard rest.count == 3, rest[0].isEmpty, let topic = Topic(rawValue: String(rest[1])), !rest[2].isEmpty,
            !tenant.isEmpty
        else { return nil }
        self.init(topic, tenant: String(tenant), origin: String(rest[2]))
    }

    /// The key of the stream: `rs:{<tenant>}:<topic>:<region>`. It never changes, so a reader's stream never does.
    package var key: String { "rs:{\(tenant)}:\(topic.rawValue):\(origin)" }

    /// The key of the hash beside the stream, in the same slot: birth, last, count, floor, closed, position, guard
    /// (the last ID that a transaction was let in behind), `PartedEntries`, where it is born `missed:<peer>`, and beside a copy
    /// `CopyGap`.
    package var metaKey: String { key + ":meta" }

    /// The field of `metaKey` with how many entries a peer lacks that were counted as lost when they were removed, by
    /// whoever removed them; there until the link to that peer knows the gap. Counts of another mark are of another history.
    package static func countedField(peer: String, birth: String) -> String { "counted:\(peer):\(birth)" }
}

extension JournalName: CustomStringConvertible {
    package var description: String { key }
}

extension JournalName: Comparable {
    package static func < (left: JournalName, right: JournalName) -> Bool { left.key < right.key }
}

/// Key of the sign of life that the mirror link from `region` leaves in a peer's Redis.
package func knockKey(from region: String) -> String { "rs:{_}:knock:\(region)" }

/// Key of the hash of a region's runs of capture that have not stopped cleanly: run → history; a field `confirmed` is an
/// operator's word that no other region has taken over.
package func capturingKey(of region: String) -> String { "rs:{_}:capturing:\(region)" }

/// Key of the set of all tenants' dbids known to a region, kept by the projection, with those of whom the region's worker has
/// found voice journals; what the mirror learns tenants from.
package let tenantsKey = "rs:{_}:tenants"
