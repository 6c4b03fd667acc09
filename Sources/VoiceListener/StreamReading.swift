internal import Journal
internal import NIOCore
internal import Projection
internal import RESP

/// Reads journals in Redis, without waiting there.
struct StreamReading: Sendable {
    enum Outcome: Sendable {
        /// What the client asked for, or why it does not get it.
        case found(Reply)
        case nothing
        /// Redis does not answer.
        case unavailable
    }

    let store: any ProjectionStore

    /// What stands behind where a client is in each of the streams: `limit` entries of each at most, and fewer where they
    /// are large, as who reads goes on behind them.
    func entries(of streams: [FeedWait.Stream], limit: Int) async -> Outcome {
        var pages = ReadPages(of: streams, limit: limit)
        do throws(StoreFailure) {
            while true {
                let parts = pages.next
                guard !parts.isEmpty else { break }
                let answers = try await page(of: parts)
                if let stale = pages.take(answers, of: parts) {
                    return .found(.stale(first: try await oldest(of: stale.journal), of: stale.name))
                }
            }
        } catch {
            return Outcome(error, names: streams.map { ($0.journal.key, $0.name) })
        }
        let pairs = pages.found.map { Reply.Pair(.text($0.name), .entries($0.entries)) }
        return pairs.isEmpty ? .nothing : .found(.pairs(pairs))
    }

    /// Reads each part, and behind its entries what the journal is: a floor that rose meanwhile is seen.
    private func page(of parts: [ReadPages.Part]) async throws(StoreFailure) -> [ReadPages.Answer] {
        let answers = try await store.answers(
            parts.flatMap { part in
                [
                    RedisCommand("XRANGE", part.journal.key, "(\(part.after)", "+", "COUNT", "\(part.count)"),
                    Self.facts(of: part.journal),
                ]
            })
        guard answers.count == parts.count * 2 else { throw .unreachable("it does not answer") }
        var found: [ReadPages.Answer] = []
        for (index, part) in parts.enumerated() {
            let (entries, meta) = (answers[2 * index].elements, answers[2 * index + 1].elements)
            found.append(
                ReadPages.Answer(
                    entries: entries, birth: meta.first?.text,
                    floor: try await floor(for: part.after, of: part.journal, meta)))
        }
        return found
    }

    /// What of a journal's meta tells whether entries are gone, as `floor(for:of:_:)` takes it.
    static func facts(of journal: JournalName) -> RedisCommand {
        RedisCommand("HMGET", journal.metaKey, "birth", "floor", PartedEntries.field)
    }

    /// The highest ID behind `last` that is gone, for who had all up to there: it was trimmed, or was of a former life of
    /// the journal. Where one of this life stands below, entries of both do; then who has had which is not known above it.
    func floor(
        for last: EntryID, of journal: JournalName, _ meta: [StoreReply]
    ) async throws(StoreFailure) -> EntryID {
        var floor = meta.count > 1 ? EntryID(floor: meta[1]) : .zero
        for parted in PartedEntries.all(in: meta.count > 2 ? meta[2].text : nil)
        where parted.behind < last && last <= parted.through {
            let next = try await store.answers([
                RedisCommand("XRANGE", journal.key, "(\(parted.behind)", "+", "COUNT", "1")
            ])
            let first = next.first?.elements.first.flatMap { EntryID(of: $0) }
            floor = max(floor, min(parted.through, first?.predecessor ?? parted.through))
        }
        return floor
    }

    /// Where journals end now: what `$` stands for.
    func ends(of journals: [JournalName]) async throws(ReplyError) -> [EntryID] {
        var ends: [EntryID] = []
        for (_, look) in await look(at: journals.map { JournalCursor($0, behind: .zero) }) {
            switch look {
            case .facts(let facts): ends.append(facts.generated)
            case .refused(let error): throw error
            case .unreachable: throw .unavailable
            }
        }
        return ends
    }

    /// Looks at journals, in one go, and whether the last entry that is known of each is there. That comes first: what
    /// was trimmed before it was missed is below the floor.
    func look(at cursors: [JournalCursor]) async -> [(journal: JournalName, look: StreamLook)] {
        let answers = await store.run(
            cursors.flatMap { cursor in
                [
                    RedisCommand("XREVRANGE", cursor.journal.key, "\(cursor.last)", "-", "COUNT", "1"),
                    Self.facts(of: cursor.journal),
                    RedisCommand("XINFO", "STREAM", cursor.journal.key),
                ]
            })
        guard answers.count == cursors.count * 3 else { return cursors.map { ($0.journal, .unreachable) } }
        return cursors.enumerated().map { index, cursor in
            let (newest, meta, info) = (answers[3 * index], answers[3 * index + 1], answers[3 * index + 2])
            return (cursor.journal, StreamLook(newest: newest, meta: meta, info: info, behind: cursor.last))
        }
    }

    /// The first entry that a journal has.
    func oldest(of journal: JournalName) async throws(StoreFailure) -> EntryID? {
        let answers = try await store.answers([RedisCommand("XRANGE", journal.key, "-", "+", "COUNT", "1")])
        return answers.first?.elements.first?.elements.first?.text.flatMap { EntryID($0) }
    }
}

extension StreamReading.Outcome {
    /// What comes of a failure. A connection that is lost is everybody's trouble, a refusal that of who asked.
    init(_ failure: StoreFailure, names: [(key: String, name: String)]) {
        switch failure {
        case .server: self = .found(.error(ReplyError(failure, names: names)))
        case .unreachable, .unsent: self = .unavailable
        }
    }
}

extension EntryID {
    /// That of an entry; nil for what is none.
    init?(of entry: StoreReply) {
        guard let id = entry.elements.first?.text.flatMap({ EntryID($0) }) else { return nil }
        self = id
    }

    /// The floor as Redis answers it; zero where there is none.
    init(floor reply: StoreReply) {
        self = reply.text.flatMap { EntryID($0) } ?? .zero
    }
}

extension StreamLook {
    /// `newest` is what there is up to `last`, the last entry that was known.
    init(
        newest: Result<StoreReply, StoreFailure>, meta: Result<StoreReply, StoreFailure>,
        info: Result<StoreReply, StoreFailure>, behind last: EntryID
    ) {
        var facts = StreamFacts()
        var (found, deleted) = (EntryID.zero, EntryID.zero)
        switch meta {
        case .success(let reply):
            facts.birth = reply.elements.first?.text
            let meta = reply.elements
            facts.floor = meta.count > 1 ? EntryID(floor: meta[1]) : .zero
            facts.parted = PartedEntries.all(in: meta.count > 2 ? meta[2].text : nil)
        case .failure(let failure):
            // It is the worker that asks for the mark, whatever clients ask for.
            self = failure.isRefusal ? .refused(ReplyError(ofRead: failure)) : .unreachable
            return
        }
        switch newest {
        case .success(let reply): found = reply.elements.first.flatMap { EntryID(of: $0) } ?? .zero
        case .failure(let failure):
            self = failure.isRefusal ? .refused(ReplyError(failure)) : .unreachable
            return
        }
        switch info {
        case .success(let reply):
            let fields = reply.elements
            for index in stride(from: 0, to: fields.count - 1, by: 2) {
                switch fields[index].text {
                case "last-generated-id": facts.generated = fields[index + 1].text.flatMap { EntryID($0) } ?? .zero
                case "max-deleted-entry-id": deleted = fields[index + 1].text.flatMap { EntryID($0) } ?? .zero
                case "first-entry": facts.first = EntryID(of: fields[index + 1])
                default: break
                }
            }
        // There is no stream yet.
        case .failure(.server("ERR", let message)) where message.hasPrefix("no such key"): break
        case .failure(let failure):
            self = failure.isRefusal ? .refused(ReplyError(failure)) : .unreachable
            return
        }
        facts.hasLast = found == last && last > .zero
        if found < last, last > max(facts.floor, deleted) { facts.survivor = found }
        self = .facts(facts)
    }
}

extension StoreFailure {
    /// Whether it is about what was asked for, such as a key of another kind, and the server answers others.
    var isRefusal: Bool {
        guard case .server(let code, _) = self else { return false }
        return code == "NOPERM" || !ReplyError.passing.contains(code)
    }
}
