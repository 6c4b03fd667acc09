internal import Journal
internal import Projection
internal import RESP
internal import RedisClient

/// `regionsync journals`: every journal in one region's Redis, its own and the copies of others', those that were closed
/// included.
package struct JournalListing: Sendable {
    /// One journal as it stands there. What is unknown is absent.
    package struct Entry: Encodable, Sendable {
        package let key: String
        package let topic: String
        /// Dbid, or `_`.
        package let tenant: String
        /// The region of birth.
        package let origin: String
        /// Whether this is the region of birth; else it is a copy.
        package let own: Bool
        package let birth: String?
        package let entries: Int
        package let first: String?
        package let last: String?
        /// The highest ID that was trimmed.
        package let floor: String?
        package let closed: Bool
        /// How far capture has come; only in the capturing region.
        package let position: String?
        /// Memory the stream takes in Redis, by its own estimate.
        package let bytes: Int?
        /// The last entry that counts of a voice journal whose region was declared down.
        package let cut: String?
        /// Entries beyond the cut, which are in no state; once the region has rejoined, those up to then.
        package let withheld: UInt64?
    }

    /// By key.
    package let journals: [Entry]

    /// Reads the keys of a region's Redis; throws `VerificationError` when it cannot.
    package init(of region: RegionServer) async throws {
        let names = try await region.journalKeys().compactMap { key in Self.name(of: key).map { (key: key, name: $0) } }
            .sorted { ($0.name, $0.key) < ($1.name, $1.key) }
        var journals: [Entry] = []
        for start in stride(from: 0, to: names.count, by: 200) {
            let some = names[start..<min(start + 200, names.count)]
            let replies = try await region.ask(some.flatMap { Self.questions($0.key, $0.name) })
            for (index, journal) in some.enumerated() {
                journals.append(
                    Entry(
                        journal.key, journal.name, in: region.name,
                        Array(replies[(Self.questionCount * index)..<(Self.questionCount * (index + 1))])))
            }
        }
        self.journals = journals
    }

    private static let closedMark = ":closed:"

    /// A copy that was closed after a fork is kept as `<key>:closed:<n>`.
    private static func name(of key: String) -> JournalName? {
        let parts = key.split(separator: closedMark, maxSplits: 1, omittingEmptySubsequences: false)
        return parts.first.flatMap { JournalName(key: $0) }
    }

    private static let questionCount = 6

    private static func questions(_ key: String, _ name: JournalName) -> [RedisCommand] {
        [
            RedisCommand("XLEN", key), RedisCommand("XRANGE", key, "-", "+", "COUNT", "1"),
            RedisCommand("XREVRANGE", key, "+", "-", "COUNT", "1"), RedisCommand("MEMORY", "USAGE", key),
            RedisCommand("HMGET", "\(key):meta", "birth", "floor", "closed", "position", "count"),
            RedisCommand(
                "HMGET", ProjectionKeys.cursors(tenant: name.tenant), ProjectionKeys.voiceCut(origin: name.origin),
                ProjectionKeys.voiceTail(origin: name.origin)),
        ]
    }

    /// The columns of `regionsync journals`.
    package var text: String {
        var table = TextTable([
            ("JOURNAL", .left), ("", .left), ("ENTRIES", .right), ("BYTES", .right), ("FIRST", .left), ("LAST", .left),
            ("FLOOR", .left), ("BIRTH", .left), ("POSITION", .left), ("CUT", .left), ("WITHHELD", .right),
        ])
        for entry in journals {
            table.add([
                entry.key, (entry.own ? "own" : "copy") + (entry.closed ? ", closed" : ""), "\(entry.entries)",
                entry.bytes.map { "\($0)" } ?? "-", entry.first ?? "-", entry.last ?? "-", entry.floor ?? "-",
                entry.birth ?? "-", entry.position ?? "-", entry.cut ?? "-", entry.withheld.map { "\($0)" } ?? "-",
            ])
        }
        return table.isEmpty ? "There are no journals.\n" : table.text
    }
}

extension RegionServer {
    /// Keys of all streams that may be journals, closed copies among them.
    func journalKeys() async throws -> Set<String> {
        var keys: Set<String> = []
        try await scan(["SCAN"], then: ["MATCH", "rs:*", "COUNT", "1000", "TYPE", "stream"]) { page in
            keys.formUnion(page.compactMap(\.string))
        }
        return keys
    }
}

/// What of a voice journal is in no state, since its region was declared down.
private struct Tail {
    let cut: EntryID
    let entries: UInt64

    /// From the fields `voiceCut` and `voiceTail`; `count` entries were ever given to the journal here.
    init?(_ fields: RedisReply, count: String?) {
        if let cut = fields[0]?.string.flatMap({ JournalCut($0) }) {
            let given = count.flatMap { UInt64($0) } ?? 0
            self.cut = cut.last
            entries = given > cut.count ? given - cut.count : 0
        } else {
            let words = fields[1]?.string?.split(separator: " ") ?? []
            guard words.count == 3, let cut = EntryID(words[0]), let entries = UInt64(words[1]) else { return nil }
            self.cut = cut
            self.entries = entries
        }
    }
}

extension JournalListing.Entry {
    /// Takes the answers to `questions`.
    fileprivate init(_ key: String, _ name: JournalName, in region: String, _ replies: [RedisReply]) {
        self.key = key
        topic = name.topic.rawValue
        tenant = name.tenant
        origin = name.origin
        own = name.origin == region
        entries = replies[0].number ?? 0
        first = replies[1][0]?[0]?.string
        last = replies[2][0]?[0]?.string
        bytes = replies[3].number
        let meta = replies[4]
        birth = meta[0]?.string
        floor = meta[1]?.string
        closed = meta[2]?.string != nil || key != name.key
        position = meta[3]?.string
        let tail = key == name.key && name.topic == .voice ? Tail(replies[5], count: meta[4]?.string) : nil
        cut = tail?.cut.description
        withheld = tail?.entries
    }
}
