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
        do throws(StoreFailure) {
            let caution = PageSize.caution(streams: streams.count)
            var page = try await self.page(of: streams, count: min(limit, caution))
            if page.trimmed == nil, let count = PageSize.next(behind: page.found, of: caution, limit: limit) {
                page = try await self.page(of: streams, count: count)
            }
            if let trimmed = page.trimmed {
                return .found(.stale(first: try await oldest(of: trimmed.journal), of: trimmed.name))
            }
            let pairs = Self.pairs(page.found, names: streams.map { ($0.journal.key, $0.name) })
            return pairs.isEmpty ? .nothing : .found(.pairs(pairs))
        } catch {
            return Outcome(error, names: streams.map { ($0.journal.key, $0.name) })
        }
    }

    /// What `XREAD` answers, and a journal of which something that stood behind the client is trimmed.
    private func page(
        of streams: [FeedWait.Stream], count: Int
    ) async throws(StoreFailure) -> (found: [StoreReply], trimmed: FeedWait.Stream?) {
        let words =
            ["XREAD", "COUNT", "\(count)", "STREAMS"] + streams.map(\.journal.key) + streams.map(\.after.description)
        // Asked for behind the entries, a floor that rose meanwhile is seen.
        let commands = [RedisCommand(words: words, runs: [])] + streams.map { Self.floor(of: $0.journal) }
        let answers = await store.run(commands)
        guard let first = answers.first else { throw .unreachable("it does not answer") }
        let found = try first.get().elements
        for (stream, floor) in zip(streams, answers.dropFirst()) where stream.after > .zero {
            if stream.after < EntryID(floor: try floor.get()) { return (found, stream) }
        }
        return (found, nil)
    }

    /// Where journals end now: what `$` stands for.
    func ends(of journals: [JournalName]) async throws(ReplyError) -> [EntryID] {
        var ends: [EntryID] = []
        for (_, look) in await look(at: journals) {
            switch look {
            case .facts(let facts): ends.append(facts.generated)
            case .refused(let error): throw error
            case .unreachable: throw .unavailable
            }
        }
        return ends
    }

    /// Looks at journals, in one go.
    func look(at journals: [JournalName]) async -> [(journal: JournalName, look: StreamLook)] {
        let answers = await store.run(
            journals.flatMap { journal in
                [
                    RedisCommand("HMGET", journal.metaKey, "birth", "floor"),
                    RedisCommand("XINFO", "STREAM", journal.key),
                ]
            })
        guard answers.count == journals.count * 2 else { return journals.map { ($0, .unreachable) } }
        return journals.enumerated().map { index, journal in
            (journal, StreamLook(meta: answers[2 * index], info: answers[2 * index + 1]))
        }
    }

    /// The first entry that a journal has.
    func oldest(of journal: JournalName) async throws(StoreFailure) -> EntryID? {
        let answers = try await store.answers([RedisCommand("XRANGE", journal.key, "-", "+", "COUNT", "1")])
        return answers.first?.elements.first?.elements.first?.text.flatMap { EntryID($0) }
    }

    /// Asks for the highest ID that was trimmed.
    static func floor(of journal: JournalName) -> RedisCommand { RedisCommand("HGET", journal.metaKey, "floor") }

    /// What `XREAD` answered, under the names that the client has for the streams: those with a key are answered in the
    /// order in which they were asked for.
    static func pairs(_ streams: [StoreReply], names: [(key: String, name: String)]) -> [Reply.Pair] {
        var rest = names[...]
        return streams.compactMap { stream in
            let parts = stream.elements
            guard parts.count == 2, let key = parts[0].text else { return nil }
            while let next = rest.first, next.key != key { rest = rest.dropFirst() }
            guard let name = rest.popFirst()?.name else { return nil }
            return Reply.Pair(.text(name), .entries(parts[1].elements))
        }
    }
}

extension StreamReading.Outcome {
    /// What comes of a failure. A connection that is lost is everybody's trouble, a refusal that of who asked.
    init(_ failure: StoreFailure, names: [(key: String, name: String)]) {
        switch failure {
        case .server: self = .found(.error(ReplyError(failure, names: names)))
        case .unreachable: self = .unavailable
        }
    }
}

extension EntryID {
    /// The floor as Redis answers it; zero where there is none.
    init(floor reply: StoreReply) {
        self = reply.text.flatMap { EntryID($0) } ?? .zero
    }
}

extension StreamLook {
    init(meta: Result<StoreReply, StoreFailure>, info: Result<StoreReply, StoreFailure>) {
        var facts = StreamFacts()
        switch meta {
        case .success(let reply):
            facts.birth = reply.elements.first?.text
            facts.floor = reply.elements.dropFirst().first.map { EntryID(floor: $0) } ?? .zero
        case .failure(let failure):
            // It is the worker that asks for the mark, whatever clients ask for.
            self = failure.isRefusal ? .refused(ReplyError(ofRead: failure)) : .unreachable
            return
        }
        switch info {
        case .success(let reply):
            let fields = reply.elements
            for index in stride(from: 0, to: fields.count - 1, by: 2) {
                switch fields[index].text {
                case "last-generated-id": facts.generated = fields[index + 1].text.flatMap { EntryID($0) } ?? .zero
                case "first-entry": facts.first = fields[index + 1].elements.first?.text.flatMap { EntryID($0) }
                default: break
                }
            }
        // There is no stream yet.
        case .failure(.server("ERR", let message)) where message.hasPrefix("no such key"): break
        case .failure(let failure):
            self = failure.isRefusal ? .refused(ReplyError(failure)) : .unreachable
            return
        }
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
