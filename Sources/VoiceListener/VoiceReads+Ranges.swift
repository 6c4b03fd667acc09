internal import Journal
internal import Projection
internal import RESP
internal import RESPServer

/// `XRANGE` and `XREVRANGE`.
extension VoiceReads {
    var rangeCommands: [Command] {
        [
            range("XRANGE", "Reads entries between two IDs.", first: "start", last: "end"),
            range("XREVRANGE", "Reads entries between two IDs, the newest first.", first: "end", last: "start"),
        ]
    }

    private func range(_ name: String, _ summary: String, first: String, last: String) -> Command {
        Command(
            name, arity: -4, flags: [.readonly], permission: .read,
            documentation: Command.Documentation(
                summary, group: "stream", complexity: "O(N) with the entries read",
                arguments: [
                    Command.Argument("key", .key), Command.Argument(first), Command.Argument(last),
                    Command.Argument("count", .integer, token: "COUNT", isOptional: true),
                ]),
            handler: .asynchronous { invocation in await feed.inTurn { await range(invocation) } })
    }

    private func range(_ invocation: Invocation) async -> Reply {
        do throws(ReplyError) {
            let request = invocation.request
            let (name, journal) = try await stream(1, of: invocation)
            // Redis takes the last of several counts.
            guard request.count <= 6 else { throw .syntax }
            guard let wanted = Self.wanted(request) else {
                let passed = PassedCommand(request, place: 1, name: name, journal: journal)
                return passed.reply(await store.run([passed.command]).first, as: .entries)
            }
            return try await pages(of: request, RangePages(wanted: wanted), name, journal)
        } catch {
            return .error(error)
        }
    }

    /// Reads page by page: who gets entries gets all that there are between the first and the last of them.
    private func pages(
        of request: Request, _ empty: RangePages, _ name: String, _ journal: JournalName
    ) async throws(ReplyError) -> Reply {
        let isForward = request.isKeyword(0, "XRANGE")
        var pages = empty
        var birth: String?
        var start = isForward ? RangeStart(request.text(2) ?? "") : nil
        var passed = Self.page(request, behind: nil, count: pages.count, name, journal)
        while true {
            // A floor that rose meanwhile is seen.
            let answers = await store.run([passed.command, StreamReading.facts(of: journal)])
            guard case .success(let page)? = answers.first else { return passed.reply(answers.first, as: .entries) }
            guard case .success(let meta)? = answers.last else { return passed.reply(answers.last, as: .plain) }
            if let start, try await isGone(start, of: journal, meta.elements, name) {
                return try await stale(journal, name)
            }
            let mark = meta.elements.first?.text
            if let birth, let mark, mark != birth { return try await stale(journal, name) }
            birth = mark ?? birth
            switch pages.take(page.elements) {
            case .done: return StreamReplies.reply(.array(pages.entries), as: .entries)
            case .tooMuch: throw .tooLarge
            case .read(let last, let count):
                if isForward { start = RangeStart("(\(last)") }
                passed = Self.page(request, behind: last, count: count, name, journal)
            }
        }
    }

    private func isGone(
        _ start: RangeStart, of journal: JournalName, _ meta: [StoreReply], _ name: String
    ) async throws(ReplyError) -> Bool {
        do throws(StoreFailure) {
            return start.misses(upTo: try await reading.floor(for: start.id, of: journal, meta))
        } catch {
            throw ReplyError(error, names: [(journal.key, name)])
        }
    }

    private func stale(_ journal: JournalName, _ name: String) async throws(ReplyError) -> Reply {
        do throws(StoreFailure) {
            return .stale(first: try await reading.oldest(of: journal), of: name)
        } catch {
            throw ReplyError(error)
        }
    }

    /// How many entries are asked for; nil where Redis has none for it, or an error.
    private static func wanted(_ request: Request) -> Int? {
        if request.count == 4 { return .max }
        guard request.count == 6, request.isKeyword(4, "COUNT"), let count = request.integer(5), count > 0 else {
            return nil
        }
        return Int(clamping: count)
    }

    /// Asks for a page; behind an entry where others were read before.
    private static func page(
        _ request: Request, behind last: String?, count: Int, _ name: String, _ journal: JournalName
    ) -> PassedCommand {
        var replaced: [Int: BulkStrings] = [:]
        if let last { replaced[2] = BulkStrings(["(\(last)"]) }
        if request.count == 4 {
            return PassedCommand(
                request, place: 1, name: name, journal: journal, replaced: replaced, more: ["COUNT", "\(count)"])
        }
        replaced[5] = BulkStrings(["\(count)"])
        return PassedCommand(request, place: 1, name: name, journal: journal, replaced: replaced)
    }
}

/// Where a client wants a range to begin.
private struct RangeStart {
    let id: EntryID
    /// Whether the entry of this ID is not wanted.
    let isExclusive: Bool

    /// Nil for what begins with whatever there is, and for what is no ID.
    init?(_ text: String) {
        isExclusive = text.hasPrefix("(")
        guard let id = EntryID(read: isExclusive ? text.dropFirst() : text[...]), id > .zero else { return nil }
        self.id = id
    }

    /// Whether entries are gone that were asked for, where all up to `floor` are.
    func misses(upTo floor: EntryID) -> Bool { isExclusive ? id < floor : id <= floor }
}
