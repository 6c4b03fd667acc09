internal import Foundation
package import Observability

/// Whether a worker should get traffic.
package enum AdminReadiness: Hashable, Sendable {
    case ready
    /// Not yet, or no more; what is awaited, in words (`first snapshot projected`, `local Redis`, …).
    case waiting(for: [String])
}

/// Where the admin server takes its answers from. Closures are called for each request and must answer soon: nothing in
/// them may wait for a server elsewhere.
package struct AdminAnswers: Sendable {
    internal let metrics: @Sendable () -> MetricsSnapshot
    internal let readiness: @Sendable () -> AdminReadiness
    internal let status: @Sendable () async throws -> [UInt8]

    /// `status` gives a JSON object already encoded. The page at `/` shows what it finds in it: scalars as facts, lists
    /// of objects as tables under their key, and a `health` of `working`, `waiting`, `degraded` or `stopped` in colour.
    package init(
        metrics: @escaping @Sendable () -> MetricsSnapshot,
        readiness: @escaping @Sendable () -> AdminReadiness,
        statusJSON: @escaping @Sendable () async throws -> [UInt8]
    ) {
        self.metrics = metrics
        self.readiness = readiness
        status = statusJSON
    }

    /// As above, with a status that is encoded here, keys sorted.
    package init(
        metrics: @escaping @Sendable () -> MetricsSnapshot,
        readiness: @escaping @Sendable () -> AdminReadiness,
        status: @escaping @Sendable () async throws -> any Encodable & Sendable
    ) {
        self.init(metrics: metrics, readiness: readiness, statusJSON: { try Self.encoded(await status()) })
    }

    internal static func encoded(_ value: any Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }
}
