/// A table as the following row messages see it: only published columns, in the order of their tuples.
///
/// Sent before a relation's first row in a session and again after every change; the newest one counts.
package struct Relation: Hashable, Sendable {
    package let id: UInt32
    /// Empty for pg_catalog.
    package let namespace: String
    package let name: String
    package let replicaIdentity: ReplicaIdentity
    package let columns: [Column]

    package struct Column: Hashable, Sendable {
        package let name: String
        package let typeOID: UInt32
        /// `atttypmod`, -1 for none.
        package let typeModifier: Int32
        /// Part of the replica identity.
        package let isKey: Bool

        package init(name: String, typeOID: UInt32, typeModifier: Int32, isKey: Bool) {
            self.name = name
            self.typeOID = typeOID
            self.typeModifier = typeModifier
            self.isKey = isKey
        }
    }

    package init(
        id: UInt32, namespace: String, name: String, replicaIdentity: ReplicaIdentity, columns: [Column]
    ) {
        self.id = id
        self.namespace = namespace
        self.name = name
        self.replicaIdentity = replicaIdentity
        self.columns = columns
    }
}

/// Which old values UPDATE and DELETE write to the log (`pg_class.relreplident`).
package enum ReplicaIdentity: UInt8, Hashable, Sendable {
    /// The primary key, if there is one: `d`.
    case primaryKey = 0x64
    /// None: `n`.
    case nothing = 0x6E
    /// The whole row: `f`.
    case full = 0x66
    /// A chosen unique index: `i`.
    case index = 0x69
}
