internal import Journal
internal import NIOCore
internal import RESP
internal import RedisClient

/// How a journal stands in one region.
struct JournalEnd: Sendable {
    /// The last entry; nil for a journal that is empty or not there.
    let last: EntryID?
    /// The highest ID that was trimmed.
    let floor: EntryID
    /// By region: entries known never to have come to its copy.
    let missed: [String: Int]
}

extension JournalEnd {
    /// As the newest entry and the hash beside the journal have it.
    fileprivate init(last: EntryID?, meta: RedisReply) {
        var floor = EntryID.zero
        var missed: [String: Int] = [:]
        var words = meta.elements
        while let field = words.next()?.string, let value = words.next() {
            if field == "floor" { floor = value.entryID ?? .zero }
            if field.hasPrefix("missed:") { missed[String(field.dropFirst(7))] = value.string.flatMap { Int($0) } }
        }
        self.init(last: last, floor: floor, missed: missed)
    }
}

/// One page of a journal as it lies in a reply.
struct JournalPage: Sendable {
    let entries: StreamEntries
    /// ID of the last entry; nil for an empty page.
    let last: EntryID?
    /// Whether the page took all entries up to its end.
    let isWhole: Bool

    /// All bytes of all entries, IDs included.
    var wire: ByteBuffer { entries.wire }

    /// Hands out ID and fields of each entry.
    func forEachEntry(_ body: (JournalEntry) throws -> Void) throws {
        var strings = BulkStrings()
        strings.append(wire: entries.wire, count: entries.wireCount)
        try EntryBatch(
            previous: .zero, last: last ?? .zero, strings: strings,
            shape: EntryBatch.Shape(runs: entries.runs.map { .init(entries: $0.entries, fields: $0.fields) })
        ).forEachEntry(body)
    }
}

extension RegionServer {
    /// How these journals stand.
    func ends(of journals: [JournalName]) async throws -> [JournalEnd] {
        let replies = try await ask(
            journals.flatMap { journal in
                [
                    RedisCommand("XREVRANGE", journal.key, "+", "-", "COUNT", "1"),
                    RedisCommand("HGETALL", journal.metaKey),
                ]
            })
        return journals.indices.map { index in
            JournalEnd(last: replies[2 * index][0]?[0]?.entryID, meta: replies[2 * index + 1])
        }
    }

    /// At most `count` entries behind `cursor`, up to and with `end` (nil: to the last).
    func page(
        of journal: JournalName, behind cursor: EntryID, through end: EntryID?, count: Int
    ) async throws -> JournalPage {
        let reply = try await ask(
            "XRANGE", journal.key, "(\(cursor)", end?.description ?? "+", "COUNT", "\(count)")
        guard let entries = StreamEntries(reply) else {
            throw VerificationError.unexpected(region: name, "XRANGE of \(journal)")
        }
        return JournalPage(
            entries: entries, last: entries.lastID.flatMap { EntryID(ascii: $0.readableBytesView) },
            isWhole: entries.count < count)
    }

    /// Hands out all entries behind `cursor`, page by page, up to and with `end` (nil: to the last).
    func forEachPage(
        of journal: JournalName, behind cursor: EntryID = .zero, through end: EntryID? = nil,
        _ body: (JournalPage) async throws -> Void
    ) async throws {
        var cursor = cursor
        var size = PageSize()
        while true {
            let page = try await page(of: journal, behind: cursor, through: end, count: size.count)
            guard let last = page.last else { return }
            try await body(page)
            if page.isWhole { return }
            size.fit(page)
            cursor = last
        }
    }
}

/// How many entries to ask for, so that a page of large entries stays bounded.
struct PageSize {
    private(set) var count = 1_000

    private static let wantedBytes = 4 << 20

    mutating func fit(_ page: JournalPage) {
        guard page.entries.count > 0 else { return }
        let each = max(1, page.wire.readableBytes / page.entries.count)
        count = min(max(Self.wantedBytes / each, 8), 2_000)
    }
}
