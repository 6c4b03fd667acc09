/// One message of the `pgoutput` plugin, protocol 1, or 2 with streaming off (protocol-logicalrep-message-formats).
///
/// Tuples are ranges of `PGOutputDecoder.columns`, bytes are ranges of the buffer that was decoded: both hold until the
/// decoder is used again or the buffer goes away.
package enum PGOutputMessage: Hashable, Sendable {
    case begin(Begin)
    case commit(Commit)
    case origin(Origin)
    case relation(Relation)
    case type(TypeName)
    case insert(Insert)
    case update(Update)
    case delete(Delete)
    case truncate(Truncate)
    case message(LogicalMessage)

    package struct Begin: Hashable, Sendable {
        /// The commit LSN that the transaction's `commit` will carry.
        package let finalLSN: LSN
        package let committedAt: PostgresTimestamp
        package let xid: UInt32
    }

    package struct Commit: Hashable, Sendable {
        /// Where the commit record begins: resuming here brings the transaction again.
        package let commitLSN: LSN
        /// Behind the commit record: where to resume.
        package let endLSN: LSN
        package let committedAt: PostgresTimestamp
    }

    /// The transaction was replicated from elsewhere.
    package struct Origin: Hashable, Sendable {
        package let commitLSN: LSN
        package let name: String
    }

    /// The name of a column type that is not built in; comes before the relation that uses it.
    package struct TypeName: Hashable, Sendable {
        package let oid: UInt32
        /// Empty for pg_catalog.
        package let namespace: String
        package let name: String
    }

    package struct Insert: Hashable, Sendable {
        package let relation: UInt32
        package let new: Range<Int>
    }

    package struct Update: Hashable, Sendable {
        package let relation: UInt32
        /// There when the identity's columns changed, or with replica identity FULL.
        package let old: OldTuple?
        package let new: Range<Int>
    }

    package struct Delete: Hashable, Sendable {
        package let relation: UInt32
        package let old: OldTuple
    }

    package struct Truncate: Hashable, Sendable {
        package let relations: [UInt32]
        package let isCascade: Bool
        package let restartsIdentity: Bool
    }

    /// Written with `pg_logical_emit_message`.
    package struct LogicalMessage: Hashable, Sendable {
        /// Part of the transaction around it; otherwise it stands alone and may come from one that rolled back.
        package let isTransactional: Bool
        package let lsn: LSN
        package let prefix: Range<Int>
        package let content: Range<Int>
    }
}

/// The row as it was before an UPDATE or DELETE.
package enum OldTuple: Hashable, Sendable {
    /// The replica identity's columns; the others are `.absent`.
    case key(Range<Int>)
    /// The whole row (replica identity FULL).
    case full(Range<Int>)
}

/// One column of a tuple. NULL, unchanged, absent and empty text are four things.
package enum TupleColumn: Hashable, Sendable {
    case null
    /// An out-of-line value that the UPDATE did not touch; the log does not hold it.
    case unchanged
    /// Not part of the replica identity, in a key tuple; the wire says `n`.
    case absent
    /// The type's text form, in the buffer that was decoded.
    case text(Range<Int>)
}
