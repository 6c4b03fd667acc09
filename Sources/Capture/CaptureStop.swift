package import Journal
package import PGOutput
package import RegionConfig

/// Why capture stands still until an operator has acted. It never skips what it cannot prove.
package enum CaptureStop: Error, Hashable, Sendable {
    // The server and its schema
    /// PostgreSQL has no `regionsync.history`.
    case schemaMissing
    /// `wal_level` is not `logical`.
    case walLevel(String)
    /// The catalog names a table that PostgreSQL does not have, or not as an ordinary table.
    case tableMissing(TableName)
    /// The log does not carry `columns` of a deleted or renamed row, so nobody could tell which object it was.
    case replicaIdentity(TableName, columns: [String])
    /// A column that names the object is not in the stream: renamed, dropped or hidden by a column list.
    case columnMissing(TableName, column: String)
    /// A row without a tenant or key.
    case unnamedRow(TableName, column: String, position: Position)
    /// The role may not do it.
    case permission(String)

    // Publication and slot
    /// The slot is older than any publication of that name: streaming would fail for ever.
    case publicationMissing(String)
    /// Tables of the catalog that the publication does not carry.
    case publicationIncomplete(String, tables: [TableName])
    /// Kinds of change that the publication leaves out, such as `truncate`.
    case publicationPartial(String, missing: [String])
    /// The slot of our name is not a logical pgoutput slot of this database.
    case slotForeign(String, found: String)

    // Positions
    /// Another region captures under a newer history than this server has.
    case formerPrimary(known: UInt64, newest: UInt64)
    /// History number or LSN does not fit a position.
    case positionOverflow(history: UInt64)

    // On the way
    /// Bytes that are no message, or a message that makes no sense where it stands.
    case undecodable(lsn: LSN, what: String)
    /// The journal was closed or born again.
    case journalFenced
    /// Somebody else writes to the journal.
    case journalForked
    /// Redis answered what no contract allows.
    case redis(String)
    /// PostgreSQL answered what no contract allows.
    case postgres(String)
}

extension CaptureStop {
    /// Old changes alone may be the cause: what they were read with may be right again.
    var isOfOldChanges: Bool {
        switch self {
        case .replicaIdentity, .columnMissing, .publicationMissing: true
        default: false
        }
    }

    /// Whether looking again can find it mended. What was read and cannot be journaled would be read again, to the same end.
    var clearsByItself: Bool {
        switch self {
        case .undecodable, .unnamedRow, .positionOverflow: false
        default: true
        }
    }

    /// The state's name in `/status` and metrics.
    package var name: String {
        switch self {
        case .schemaMissing: "schema-missing"
        case .walLevel: "wal-level"
        case .tableMissing: "table-missing"
        case .replicaIdentity: "replica-identity"
        case .columnMissing: "column-missing"
        case .unnamedRow: "unnamed-row"
        case .permission: "permission"
        case .publicationMissing: "publication-missing"
        case .publicationIncomplete: "publication-incomplete"
        case .publicationPartial: "publication-partial"
        case .slotForeign: "slot-foreign"
        case .formerPrimary: "former-primary"
        case .positionOverflow: "position-overflow"
        case .undecodable: "undecodable"
        case .journalFenced: "journal-fenced"
        case .journalForked: "journal-forked"
        case .redis: "redis-unexpected"
        case .postgres: "postgres-unexpected"
        }
    }

    /// What happened, in a sentence; no row values.
    package var reason: String {
        switch self {
        case .schemaMissing: "PostgreSQL has no table regionsync.history"
        case .walLevel(let level): "wal_level is \(level), logical is needed"
        case .tableMissing(let table): "\(table) of the catalog is not an ordinary table in PostgreSQL"
        case .replicaIdentity(let table, let columns):
            "the replica identity of \(table) lacks \(columns.joined(separator: ", "))"
        case .columnMissing(let table, let column):
            "the stream of \(table) has no column \(column), which names objects"
        case .unnamedRow(let table, let column, let position):
            "a row of \(table) at position \(position) has no \(column), which names objects"
        case .permission(let what): what
        case .publicationMissing(let name): "publication \(name) is gone while its slot is there"
        case .publicationIncomplete(let name, let tables):
            "publication \(name) lacks \(tables.map(\.description).joined(separator: ", "))"
        case .publicationPartial(let name, let missing):
            "publication \(name) leaves out \(missing.joined(separator: ", "))"
        case .slotForeign(let name, let found): "slot \(name) is not ours: \(found)"
        case .formerPrimary(let known, let newest):
            "history \(known) is known here, and this server has only \(newest): another region took over, a former primary"
        case .positionOverflow(let history): "history \(history) and its LSN do not fit a position"
        case .undecodable(let lsn, let what): "cannot read the change at \(lsn): \(what)"
        case .journalFenced: "the journal was closed or born again"
        case .journalForked: "stream and meta of the journal disagree: somebody else writes to it"
        case .redis(let answer): "Redis answered \(answer)"
        case .postgres(let answer): "PostgreSQL answered \(answer)"
        }
    }
}
