package import Journal

/// What a peer has of the journals born here and what it lacks, by topic.
///
/// A topic is known when each of its journals is: without one, the sum of the others would pass for all.
package struct PeerBacklog: Hashable, Sendable {
    /// Those that are mirrored.
    package static let topics: [Topic] = [.provisioning, .voice, .control]

    private var unknown: Set<Topic> = []
    private var lacked: [Topic: UInt64] = [:]
    private var total: [Topic: UInt64] = [:]

    package init() {}

    /// Entries that the peer lacks; nil while that is not known.
    package func lacking(_ topic: Topic) -> UInt64? { unknown.contains(topic) ? nil : lacked[topic] ?? 0 }

    /// Entries that the peer has or will get; nil while that is not known.
    package func entries(_ topic: Topic) -> UInt64? { unknown.contains(topic) ? nil : total[topic] ?? 0 }

    /// Adds a journal that was ever given `added` entries, of which the copy has `copied` and will never have `missed`.
    package mutating func add(_ topic: Topic, copied: UInt64, missed: UInt64, added: UInt64) {
        let passed = Self.sum(copied, missed)
        let lacks = added > passed ? added - passed : 0
        lacked[topic] = Self.sum(lacked[topic] ?? 0, lacks)
        total[topic] = Self.sum(total[topic] ?? 0, Self.sum(copied, lacks))
    }

    /// Adds a journal whose two ends cannot be compared now.
    package mutating func addUnknown(_ topic: Topic) { unknown.insert(topic) }

    private static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, isTooLarge) = left.addingReportingOverflow(right)
        return isTooLarge ? .max : sum
    }
}
