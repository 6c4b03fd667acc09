import Journal
import Provisioning
import Reconciliation

typealias ObjectName = ProvisioningEntry.ObjectName

/// PostgreSQL, its log and one cache as values: transactions that overlap, that are in the log before snapshots show them,
/// and that are projected an object at a time; and somebody who changes the cache behind everybody's back.
struct ModelDatabase {
    struct Transaction {
        let xid: UInt64
        /// nil deletes.
        var writes: [(key: String, value: UInt64?)] = []
        /// Where it stands in the log, once it is committed.
        var lsn: UInt64?
        /// Snapshots show it as over.
        var isOver = false
    }

    var transactions: [Transaction] = []
    private(set) var nextXID: UInt64 = 700
    private(set) var end: UInt64 = 1000
    /// Committed transactions, in the order of the log.
    var log: [Int] = []
    /// How many of them are projected whole, and how many writes of the next one.
    private(set) var projected = 0
    private(set) var part = 0
    var cache: [String: (value: UInt64, version: UInt64)] = [:]
    var watches: [String: Int] = [:]
    private var nextValue: UInt64 = 1

    static func name(_ key: String) -> ObjectName { ObjectName(tenant: "1", type: "thing", key: key) }

    // MARK: Transactions

    mutating func begin() {
        transactions.append(Transaction(xid: nextXID))
        nextXID += 1
    }

    mutating func write(_ index: Int, _ key: String, deletes: Bool) {
        transactions[index].writes.append((key, deletes ? nil : nextValue))
        nextValue += 1
    }

    /// Rows that another open transaction has written are locked.
    func isLocked(_ key: String, for index: Int) -> Bool {
        transactions.indices.contains { other in
            other != index && !transactions[other].isOver && transactions[other].writes.contains { $0.key == key }
        }
    }

    mutating func commit(_ index: Int) {
        transactions[index].lsn = end
        end += 8
        log.append(index)
    }

    mutating func finish(_ index: Int) { transactions[index].isOver = true }

    // MARK: Snapshots

    /// The lowest transaction ID that is not over.
    var oldest: UInt64 { transactions.filter { !$0.isOver }.map(\.xid).min() ?? nextXID }

    /// What a snapshot shows of these keys.
    func rows(_ names: [ObjectName]) -> [ObjectName: RepairRound.Row] {
        var state: [String: UInt64] = [:]
        for index in log where transactions[index].isOver {
            for (key, value) in transactions[index].writes { state[key] = value }
        }
        var rows: [ObjectName: RepairRound.Row] = [:]
        for name in names { rows[name] = state[name.key].map(Self.row) }
        return rows
    }

    static func row(_ value: UInt64) -> RepairRound.Row {
        RepairRound.Row(digest: ObjectDigest(value: value), columns: ["value": "\(value)"])
    }

    // MARK: Projection

    /// Below which everything is projected.
    var cursor: Position {
        projected == 0 ? .zero : Position(history: 1, lsn: transactions[log[projected - 1]].lsn ?? 0) ?? .zero
    }

    /// Projects the next write, or moves the cursor behind a transaction.
    mutating func project() {
        guard projected < log.count else { return }
        let transaction = transactions[log[projected]]
        guard part < transaction.writes.count else {
            projected += 1
            part = 0
            return
        }
        let (key, value) = transaction.writes[part]
        part += 1
        watches[key] = nil
        cache[key] = value.map { ($0, transaction.lsn ?? 0) }
    }

    /// What the projection has made of a key so far, had nobody interfered.
    func due(_ key: String) -> UInt64? {
        var value: UInt64?
        for (place, index) in log.prefix(projected + 1).enumerated() {
            let writes = transactions[index].writes
            for write in place < projected ? writes[...] : writes[..<part] where write.key == key {
                value = write.value
            }
        }
        return value
    }
}
