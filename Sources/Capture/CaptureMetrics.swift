package import Observability
package import RegionConfig
internal import PGOutput

/// The handles of capture's metrics, resolved once.
package struct CaptureMetrics: Sendable {
    let connected: Gauge
    let lagBytes: Gauge
    let lagSeconds: Gauge
    let retainedBytes: Gauge
    let safeBytes: Gauge
    let transactions: Counter
    let capturing: Gauge
    let historyNumber: Gauge
    private let changes: [[Counter]]
    private let registry: MetricsRegistry

    package init(_ registry: MetricsRegistry, catalog: Catalog) {
        self.registry = registry
        connected = registry.gauge(.captureConnected)
        lagBytes = registry.gauge(.captureLagBytes)
        lagSeconds = registry.gauge(.captureLagSeconds)
        retainedBytes = registry.gauge(.captureSlotRetainedWALBytes)
        safeBytes = registry.gauge(.captureSlotSafeWALBytes)
        transactions = registry.counter(.captureTransactions)
        capturing = registry.gauge(.capturing)
        historyNumber = registry.gauge(.historyNumber)
        // Behind the catalog's tables, one row for all the others.
        changes = (catalog.tables.map { "\($0.table)" } + ["other"]).map { table in
            ["insert", "update", "delete", "truncate"].map { kind in
                registry.counter(.captureChanges, [.table: table, .op: kind])
            }
        }
        connected.set(false)
    }

    /// Adds what was encoded since `before`.
    func add(_ counts: TransactionEncoder.Counts, since before: TransactionEncoder.Counts) {
        for (index, table) in counts.tables.enumerated() {
            let old = before.tables[index]
            let deltas = [
                table.inserts - old.inserts, table.updates - old.updates, table.deletes - old.deletes,
                table.truncates - old.truncates,
            ]
            for (counter, delta) in zip(changes[index], deltas) where delta > 0 { counter.add(delta) }
        }
    }

    /// A snapshot begins that finds what was missed.
    func resnapshots(_ cause: ResnapshotCause) {
        registry.counter(.captureResnapshots, [.cause: cause.name]).add(1)
    }

    func disconnected() {
        connected.set(false)
        lagBytes.set(nil)
        lagSeconds.set(nil)
    }

    /// Nobody captures here any more.
    func ended() {
        for gauge in [connected, capturing, historyNumber] { gauge.set(nil as Double?) }
    }
}
