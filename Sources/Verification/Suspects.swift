internal import NIOCore

/// Something in a cache that looked wrong, and is looked at again before it counts.
enum Suspect: Hashable, Sendable {
    /// An object: its hash, its place in the set of IDs, the index entries that should name it.
    case object(table: Int, tenant: String, key: String)
    /// An index entry that names an object with another value.
    case indexEntry(table: Int, tenant: String, index: Int, value: ByteBuffer, id: String)
    /// The counters of a bucket.
    case bucket(table: Int, tenant: String, bucket: Int)
    /// A tenant of which a transaction is half applied.
    case halfApplied(tenant: String)
    /// An object, `<type>:<id>`, that the projection has set aside.
    case quarantined(tenant: String, name: String)
    /// A key that belongs to no table of the catalog.
    case foreignKey(String)
}

/// The suspects of one region; bounded, so that a cache that is wrong throughout does not fill our memory.
struct Suspects: Sendable {
    private(set) var all: Set<Suspect> = []
    /// How many were found beyond the limit; they count without a second look.
    private(set) var overflow = 0

    static let limit = 10_000

    mutating func add(_ suspects: some Sequence<Suspect>) {
        for suspect in suspects where !all.contains(suspect) {
            if all.count < Self.limit { all.insert(suspect) } else { overflow += 1 }
        }
    }

    mutating func merge(_ other: Suspects) {
        add(other.all)
        overflow += other.overflow
    }
}

/// What is wrong with a part of a cache.
package enum CacheProblem: Hashable, Sendable {
    /// PostgreSQL has the object, the cache has not.
    case missing
    /// The cache has the object, or its ID among those of its type; PostgreSQL has not.
    case extra
    /// These columns, in alphabetical order, differ from PostgreSQL's; `_d` is the object's digest.
    case different(columns: [String])
    /// The object is there, its ID is not in the set of its type.
    case unlisted
    /// An index does not name the object under its value.
    case unindexed(field: String)
    /// An index names the object under a value that it does not have.
    case staleIndex(field: String)
    /// The counters of a bucket are not those of its objects.
    case digest(bucket: Int)
    /// A transaction was begun and not ended.
    case halfApplied
    /// The projection could not make the object of its change and waits for the next one.
    case quarantined
    /// A key of a type that the catalog lacks.
    case foreignKey

    /// A short word for it.
    package var name: String {
        switch self {
        case .missing: "missing"
        case .extra: "extra"
        case .different: "different"
        case .unlisted: "unlisted"
        case .unindexed: "unindexed"
        case .staleIndex: "stale-index"
        case .digest: "digest"
        case .halfApplied: "half-applied"
        case .quarantined: "quarantined"
        case .foreignKey: "foreign-key"
        }
    }
}

extension CacheProblem: CustomStringConvertible {
    package var description: String {
        switch self {
        case .missing: "is in PostgreSQL and not in the cache"
        case .extra: "is in the cache and not in PostgreSQL"
        case .different(let columns): "differs in \(columns.joined(separator: ", "))"
        case .unlisted: "is not in the set of its type's IDs"
        case .unindexed(let field): "is not named by the index over \(field)"
        case .staleIndex(let field): "is named by the index over \(field) under a value it does not have"
        case .digest(let bucket): "has other objects in bucket \(bucket) than the counters say"
        case .halfApplied: "has a transaction that is applied in part"
        case .quarantined: "could not be projected and is in quarantine"
        case .foreignKey: "belongs to no table of the catalog"
        }
    }
}

/// A difference that a second look confirmed.
package struct CacheFinding: Hashable, Sendable {
    /// The region whose cache it is.
    package let region: String
    /// `101/person/17`, `101/person` for a bucket, `101` for a tenant, or a key. Never a value.
    package let object: String
    package let problem: CacheProblem
    /// What was looked at.
    let suspect: Suspect
}
