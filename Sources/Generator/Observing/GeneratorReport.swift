package import Foundation

/// What the generator knows of itself and of what it watches, as `--report` shows it.
package struct GeneratorReport: Codable, Hashable, Sendable {
    /// One region's events in another region's Redis.
    package struct Direction: Codable, Hashable, Sendable {
        package let from: String
        package let to: String
        /// Copies that came in the last second.
        package let eventsPerSecond: Double
        /// Acknowledged by the region of birth, in the journals that are watched.
        package let produced: Int
        /// Of these, seen in the copy.
        package let received: Int
        /// Of these, not seen although later ones were.
        package let missing: Int
        /// Of these, not seen yet.
        package let backlog: Int
        /// From sending `XADD` to receiving the copy, since the beginning; absent before the first.
        package let lagMs: LatencyFigures?
        /// The same of the last second.
        package let lastSecondLagMs: LatencyFigures?
    }

    /// Changes to provisioning.
    package struct Provisioning: Codable, Hashable, Sendable {
        /// Committed.
        package var transactions = 0
        /// Rolled back on purpose.
        package var rolledBack = 0
        /// Of whose COMMIT nobody knows.
        package var unanswered = 0
        /// Refused by PostgreSQL.
        package var refused = 0
        /// Objects that the transactions touched.
        package var objects = 0
        /// From the acknowledgement of COMMIT to its sight in the region's cache, of some changes, since the beginning.
        package var visibleMs: [String: LatencyFigures] = [:]
        /// The same of the last second.
        package var lastSecondVisibleMs: [String: LatencyFigures] = [:]
        /// Changes that a cache did not show within a minute.
        package var unseen: [String: Int] = [:]
    }

    /// One region's events.
    package struct Region: Codable, Hashable, Sendable {
        package let region: String
        package let acknowledged: Int
        package let unanswered: Int
        package let refusals: Int
        package let acknowledgedPerSecond: Double
    }

    package let elapsedSeconds: Double
    /// No more will come.
    package let isFinal: Bool
    package let regions: [Region]
    package let directions: [Direction]
    package let provisioning: Provisioning

    /// The document, in which keys have a fixed order.
    package var json: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
            return try encoder.encode(self)
        }
    }

    /// One line for people about the whole run.
    package var totals: String {
        var parts = regions.map { region in
            "\(region.acknowledged) events in \(region.region)"
                + (region.unanswered > 0 ? " and \(region.unanswered) unanswered" : "")
        }
        parts += directions.map { direction in
            "\(direction.received) of \(direction.produced) seen \(direction.from) → \(direction.to), "
                + "lag \(LatencyFigures.text(direction.lagMs))"
        }
        parts.append(
            "\(provisioning.transactions) transactions"
                + (provisioning.unanswered > 0 ? " and \(provisioning.unanswered) unanswered" : ""))
        return parts.joined(separator: " | ")
    }

    /// One line for people.
    package var progress: String {
        var parts = ["\(Int(elapsedSeconds.rounded())) s"]
        if directions.isEmpty {
            parts += regions.map { "\($0.region) \(Int($0.acknowledgedPerSecond.rounded())) events/s" }
        }
        parts += directions.map { direction in
            "\(direction.from) → \(direction.to) \(Int(direction.eventsPerSecond.rounded())) events/s, "
                + "lag \(LatencyFigures.text(direction.lastSecondLagMs)), backlog \(direction.backlog)"
                + (direction.missing > 0 ? ", missing \(direction.missing)" : "")
        }
        var changes = "\(provisioning.transactions) transactions"
        for region in regions {
            let visible = provisioning.lastSecondVisibleMs[region.region]
            changes += ", in \(region.region) after \(LatencyFigures.text(visible))"
        }
        return (parts + [changes]).joined(separator: " | ")
    }
}

/// Latencies in ms.
package struct LatencyFigures: Codable, Hashable, Sendable {
    package let p50: Double
    package let p99: Double
    package let max: Double
    /// Samples.
    package let count: UInt64

    /// p50 and p99, or `-` where nothing was measured.
    static func text(_ figures: LatencyFigures?) -> String {
        guard let figures else { return "-" }
        return "\(rounded(figures.p50))/\(rounded(figures.p99)) ms"
    }

    private static func rounded(_ milliseconds: Double) -> String {
        let tenths = (milliseconds * 10).rounded()
        return "\(Int(tenths / 10)).\(Int(tenths.truncatingRemainder(dividingBy: 10)))"
    }
}
