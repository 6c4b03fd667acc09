package import Journal

/// What was produced, one line an item, in the order in which it was acknowledged.
///
/// The ledger is text, so that `grep` and `awk` answer questions too. Numbers are decimal, digests hexadecimal; an
/// object is `<tenant>/<type>/<key>` with space, `%`, `=`, `/` and control characters as `%XX`.
///
///     regionsync-ledger 1
///     J 0 rs:{101}:voice:us-east                          journal 0 is this one
///     R 0 1763800000000000                                run 0 began with this server start time
///     E 0 0 17 1763800000123-0 9f86d081884c7d65           journal, run, sequence number, entry ID, digest
///     U 0 0 18 60303ae22b998861                           no answer came: it may be there or not
///     T 5 7712 101/person/17=fd61a03af4f77d87 101/skill/3=-   number, xid, objects; `-` is deleted
///     V 6 7713 101/person/18=fd61a03af4f77d88             no answer came to COMMIT
///     C 0                                                 closed in order: all that runs 0 and later produced is above
package enum LedgerLine: Hashable, Sendable {
    /// An event that Redis acknowledged under this entry ID.
    case event(journal: Int, EventIdentity, EntryID, digest: UInt64)
    /// An event to which no answer came.
    case unanswered(journal: Int, EventIdentity, digest: UInt64)
    case transaction(ProducedTransaction)
    /// Everything that runs from this number on produced is recorded; those before ended with an earlier opening.
    case closed(firstRun: Int)
}

/// A transaction of which PostgreSQL acknowledged the COMMIT, or never answered it.
package struct ProducedTransaction: Hashable, Sendable {
    /// Number in the run of changes, from 1.
    package let number: Int64
    /// PostgreSQL's transaction ID as the journal's `commit` entry carries it; 0 where it is not known.
    package let xid: UInt32
    /// The objects it touched, as it left them.
    package let touched: [TouchedObject]
    /// False when no answer came to COMMIT: it has happened as a whole or not at all.
    package let isAnswered: Bool

    package init(number: Int64, xid: UInt32, touched: [TouchedObject], isAnswered: Bool = true) {
        self.number = number
        self.xid = xid
        self.touched = touched
        self.isAnswered = isAnswered
    }
}

/// An object as a transaction left it.
package struct TouchedObject: Hashable, Sendable {
    package let name: ObjectKey
    /// `PayloadDigest.object` of its columns that are replicated; nil when it was deleted.
    package let digest: UInt64?

    package init(_ name: ObjectKey, digest: UInt64?) {
        self.name = name
        self.digest = digest
    }
}

/// An object as journals and caches name it.
package struct ObjectKey: Hashable, Sendable {
    /// The tenant's dbid, decimal.
    package let tenant: String
    /// Object type of the catalog.
    package let type: String
    /// Key columns' text, joined by `,`; ours are numbers, so nothing in them is escaped.
    package let key: String

    package init(tenant: String, type: String, key: String) {
        self.tenant = tenant
        self.type = type
        self.key = key
    }
}
