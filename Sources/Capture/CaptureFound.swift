package import Journal
package import PGOutput
package import RegionConfig

/// What capture sees of PostgreSQL and of its own journal before it begins.
package struct CaptureFound: Hashable, Sendable {
    /// A row of `regionsync.history`: who captures from which server.
    package struct History: Hashable, Sendable {
        package let number: UInt64
        package let systemID: String
        package let timeline: UInt32
        package let captureRegion: String

        package init(number: UInt64, systemID: String, timeline: UInt32, captureRegion: String) {
            self.number = number
            self.systemID = systemID
            self.timeline = timeline
            self.captureRegion = captureRegion
        }
    }

    /// A table of the catalog as PostgreSQL has it.
    package struct Table: Hashable, Sendable {
        package let name: TableName
        /// The columns that name an object: tenant and key.
        package let required: [String]
        /// The columns that the publication shows; nil when there is no such ordinary table.
        package let columns: Set<String>?
        /// The columns that a deleted row leaves in the log.
        package let identity: Set<String>

        package init(name: TableName, required: [String], columns: Set<String>?, identity: Set<String>) {
            self.name = name
            self.required = required
            self.columns = columns
            self.identity = identity
        }
    }

    package struct Publication: Hashable, Sendable {
        /// The kinds of change that all have to be published.
        package static let kinds = ["insert", "update", "delete", "truncate"]

        package let publishes: Set<String>
        package let tables: Set<TableName>

        package init(publishes: Set<String>, tables: Set<TableName>) {
            self.publishes = publishes
            self.tables = tables
        }
    }

    /// A row of `pg_replication_slots`.
    package struct Slot: Hashable, Sendable {
        package var plugin: String?
        package var database: String?
        package var isActive: Bool
        package var activePID: Int32?
        /// Why the slot can no longer be streamed from: `wal_status` lost, or invalidated.
        package var lostCause: String?
        /// `confirmed_flush_lsn`: what PostgreSQL was told that it may forget.
        package var confirmed: LSN

        package init(
            plugin: String?, database: String?, isActive: Bool = false, activePID: Int32? = nil,
            lostCause: String? = nil, confirmed: LSN
        ) {
            self.plugin = plugin
            self.database = database
            self.isActive = isActive
            self.activePID = activePID
            self.lostCause = lostCause
            self.confirmed = confirmed
        }
    }

    package var region: String
    package var publicationName: String
    package var slotName: String

    /// `pg_is_in_recovery()`
    package var isInRecovery: Bool
    package var walLevel: String
    /// By IDENTIFY_SYSTEM; `pg_control_checkpoint()` still shows the old timeline after a promotion.
    package var systemID: String
    package var timeline: UInt32
    package var database: String
    /// The end of the log that is safe on disk.
    package var flushed: LSN
    package var hasHistoryTable: Bool
    /// The newest row; nil when there is none yet.
    package var history: History?
    package var tables: [Table]
    package var publication: Publication?
    package var slot: Slot?
    package var journal: JournalState
    /// The newest history of which anything is known in this region, from whatever region.
    package var knownHistory: UInt64 = 0
    /// What the stream shows of the catalog's tables (`CaptureSurvey`).
    package var shown = ""
    /// Why the stream could not be read at the journal's position, though the tables are right by now.
    package var unreadable: CaptureStop?
    /// How earlier runs here ended; nil where no peer could have taken over.
    package var standing: CaptureStanding?
    /// This run has had the role already, or a peer has answered it.
    package var isVouchedFor = false

    package init(
        region: String, publicationName: String, slotName: String, isInRecovery: Bool, walLevel: String,
        systemID: String, timeline: UInt32, database: String, flushed: LSN, hasHistoryTable: Bool, history: History?,
        tables: [Table] = [], publication: Publication? = nil, slot: Slot? = nil, journal: JournalState
    ) {
        self.region = region
        self.publicationName = publicationName
        self.slotName = slotName
        self.isInRecovery = isInRecovery
        self.walLevel = walLevel
        self.systemID = systemID
        self.timeline = timeline
        self.database = database
        self.flushed = flushed
        self.hasHistoryTable = hasHistoryTable
        self.history = history
        self.tables = tables
        self.publication = publication
        self.slot = slot
        self.journal = journal
    }
}

extension CaptureFound {
    /// Whether it can be for this region to capture from this server; where it cannot, nothing else is asked for.
    package var isForThisRegion: Bool { !isInRecovery && (history?.captureRegion ?? region) == region }

    /// Our journal ends in an older history than the newest one.
    var isOfOlderHistory: Bool {
        guard let ours = journal.position, let history else { return false }
        return ours.history < history.number
    }
}

/// Where our journal stands, by its own word (`rsj3_open`).
package struct JournalState: Hashable, Sendable {
    /// Drawn when the journal was born; every append names it.
    package let birth: String
    /// The entry that the journal ends with; `.zero` when it is empty.
    package let last: EntryID
    /// Where replication resumes; nil while nothing was ever closed.
    package let position: Position?
    /// What the stream showed of the tables when they were last compared as a whole; nil where that was not noted.
    package let shown: String?

    package init(birth: String, last: EntryID, position: Position?, shown: String? = nil) {
        self.birth = birth
        self.last = last
        self.position = position
        self.shown = shown
    }

    /// The newest history of which it holds anything; 0 for none.
    var history: UInt64 { max(position?.history ?? 0, Position(number: last.first).history) }
}

/// Entries that somebody else wrote to our journal.
package struct ForeignEntries: Hashable, Sendable {
    package let count: Int
    package let first: EntryID

    package init(count: Int, first: EntryID) {
        self.count = count
        self.first = first
    }
}

/// What is asked of PostgreSQL again and again while it streams.
package struct CaptureSurvey: Hashable, Sendable {
    /// The newest history's number; 0 for none.
    package let history: UInt64
    /// A digest over what the stream shows: publication, its tables and kinds of change, columns with their types, replica
    /// identities and partitions. The stream says of none of them that it changed, and leaves out what they hide.
    package let shown: String

    package init(history: UInt64, shown: String) {
        self.history = history
        self.shown = shown
    }
}
