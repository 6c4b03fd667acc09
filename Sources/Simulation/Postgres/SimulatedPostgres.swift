internal import Capture
package import Journal
internal import PGOutput
package import RegionConfig

/// PostgreSQL as a value: one table of persons, committed transactions with their places in the log, one slot, the rows of
/// `regionsync.history`. An older value is a server that was set back.
package struct SimulatedPostgres: Sendable {
    package typealias Row = [String: String]

    /// A change of one row; nil columns are NULL.
    enum Change: Hashable, Sendable {
        case insert(Person, Row)
        /// `unchanged` are columns that the log does not hold.
        case update(Person, Row, from: Person?, unchanged: Set<String>)
        case delete(Person)
        case truncate
    }

    package struct Person: Hashable, Sendable, Comparable {
        package let tenant: String
        package let id: Int

        package static func < (left: Person, right: Person) -> Bool {
            (left.tenant, left.id) < (right.tenant, right.id)
        }

        /// As journals and caches name it.
        package var name: ProvisioningEntry.ObjectName {
            ProvisioningEntry.ObjectName(tenant: tenant, type: "person", key: "\(id)")
        }
    }

    struct Transaction: Sendable {
        let changes: [Change]
        let xid: UInt32
        let commit: UInt64
        let end: UInt64
        /// When it was committed by the server's clock, µs since 2000. Later ones may seem to be earlier.
        let time: Int64
    }

    struct Slot: Sendable {
        /// What the server was told that it may forget, and what it was told before: a crash forgets the last.
        var confirmations: [UInt64]
        /// The connection that streams.
        var wire: Int?
        var isLost = false

        var confirmed: UInt64 { confirmations.last ?? 0 }
    }

    static let columns = ["tenant_dbid", "dbid", "user_name", "place", "note"]

    /// The catalog of the one table.
    package static let catalog = Catalog(tables: [
        CatalogTable(
            table: TableName(schema: "provisioning", name: "person"), type: "person", key: ["dbid"],
            tenant: "tenant_dbid",
            indexes: [CatalogIndex(field: "user_name", unique: true), CatalogIndex(field: "place", unique: false)])
    ])

    private(set) var transactions: [Transaction] = []
    /// What the transactions have made.
    package private(set) var rows: [Person: Row] = [:]
    var slot: Slot?
    var hasPublication = false
    var history: [(row: CaptureFound.History, lsn: UInt64)] = []
    private(set) var timeline: UInt32 = 1
    /// The end of the log.
    private(set) var end: UInt64 = 1_000
    private var xid: UInt32 = 700

    // MARK: What applications do

    mutating func commit(_ changes: [Change], at time: Int64) {
        let commit = end + 40
        end = commit + 10
        xid += 1
        transactions.append(Transaction(changes: changes, xid: xid, commit: commit, end: end, time: time))
        Self.apply(changes, to: &rows)
    }

    /// Other traffic, of no interest here.
    mutating func move(by bytes: UInt64) { end += bytes }

    static func apply(_ changes: [Change], to rows: inout [Person: Row]) {
        for change in changes {
            switch change {
            case .insert(let person, let row): rows[person] = row
            case .update(let person, let row, let old, _):
                if let old { rows[old] = nil }
                rows[person] = row
            case .delete(let person): rows[person] = nil
            case .truncate: rows.removeAll()
            }
        }
    }

    // MARK: What befalls it

    /// The server ends as in a crash and comes back: confirmations that were not on disk are forgotten.
    mutating func crash(forgetting count: Int) {
        guard var slot else { return }
        slot.confirmations.removeLast(min(count, slot.confirmations.count - 1))
        slot.wire = nil
        self.slot = slot
    }

    /// A standby that lacks the last `count` transactions takes over. It has no slots.
    mutating func promote(losing count: Int) {
        transactions.removeLast(min(count, transactions.count))
        let cut = transactions.last?.end ?? 1_000
        history.removeAll { $0.lsn > cut && count > 0 }
        end = max(cut, count > 0 ? cut : end) + 8
        timeline += 1
        slot = nil
        rows = [:]
        for transaction in transactions { Self.apply(transaction.changes, to: &rows) }
    }

    // MARK: What capture asks

    func found(region: String, journal: JournalState) -> CaptureFound {
        let table = CaptureFound.Table(
            name: Self.catalog.tables[0].table, required: ["tenant_dbid", "dbid"], columns: Set(Self.columns),
            identity: ["tenant_dbid", "dbid"])
        return CaptureFound(
            region: region, publicationName: "regionsync", slotName: "regionsync", isInRecovery: false,
            walLevel: "logical", systemID: "1", timeline: timeline, database: "d", flushed: LSN(end),
            hasHistoryTable: true, history: history.last?.row, tables: [table],
            publication: hasPublication
                ? .init(publishes: Set(CaptureFound.Publication.kinds), tables: [table.name]) : nil,
            slot: slot.map {
                CaptureFound.Slot(
                    plugin: "pgoutput", database: "d", isActive: $0.wire != nil, lostCause: $0.isLost ? "lost" : nil,
                    confirmed: LSN($0.confirmed))
            }, journal: journal)
    }

    mutating func beginHistory(_ number: UInt64, after newest: UInt64, region: String) {
        guard history.last?.row.number ?? 0 == newest else { return }
        end += 20
        history.append((.init(number: number, systemID: "1", timeline: timeline, captureRegion: region), end))
    }

    /// A new slot begins where the log ends; answers where.
    mutating func makeSlot() -> UInt64 {
        end += 10
        slot = Slot(confirmations: [end])
        return end
    }

    mutating func confirm(_ lsn: UInt64) {
        guard let confirmed = slot?.confirmed, lsn > confirmed else { return }
        slot?.confirmations.append(lsn)
    }

    /// The transactions that a stream from `lsn` brings, `count` at most, as pgoutput messages.
    func messages(from lsn: UInt64, count: Int) -> (messages: [[UInt8]], upTo: UInt64, isAll: Bool) {
        let due = transactions.filter { $0.end > lsn }
        let given = due.prefix(count)
        let messages = given.flatMap { Self.messages(of: $0) }
        let isAll = given.count == due.count
        return (messages, isAll ? max(end, lsn) : given.last?.end ?? lsn, isAll)
    }

    private static func messages(of transaction: Transaction) -> [[UInt8]] {
        var messages = [WireBytes.begin(transaction.commit, time: transaction.time, xid: transaction.xid)]
        messages.append(WireBytes.relation(1, "provisioning", "person", columns, key: ["tenant_dbid", "dbid"]))
        for change in transaction.changes {
            switch change {
            case .insert(let person, let row): messages.append(WireBytes.insert(1, tuple(person, row)))
            case .update(let person, let row, let old, let unchanged):
                messages.append(
                    WireBytes.update(1, key: old.map { key($0) }, tuple(person, row, unchanged: unchanged)))
            case .delete(let person): messages.append(WireBytes.delete(1, key(person)))
            case .truncate: messages.append(WireBytes.truncate(1))
            }
        }
        return messages + [WireBytes.commit(transaction.commit, end: transaction.end, time: transaction.time)]
    }

    private static func key(_ person: Person) -> [WireBytes.Value] {
        [.text(person.tenant), .text("\(person.id)"), .null, .null, .null]
    }

    private static func tuple(_ person: Person, _ row: Row, unchanged: Set<String> = []) -> [WireBytes.Value] {
        columns.map { column in
            switch column {
            case "tenant_dbid": .text(person.tenant)
            case "dbid": .text("\(person.id)")
            case _ where unchanged.contains(column): .unchanged
            default: row[column].map { .text($0) } ?? .null
            }
        }
    }

    /// The columns of a row as a cache has them.
    package static func columns(of person: Person, _ row: Row) -> [String: String] {
        row.merging(["tenant_dbid": person.tenant, "dbid": "\(person.id)"]) { $1 }
    }
}
