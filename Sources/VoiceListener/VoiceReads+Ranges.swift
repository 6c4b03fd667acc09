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
            handler: .asynchronous { await range($0) })
    }

    private func range(_ invocation: Invocation) async -> Reply {
        do throws(ReplyError) {
            let request = invocation.request
            let (name, journal) = try await stream(1, of: invocation)
            let passed = Self.limited(request, name: name, journal: journal)
            // A floor that rose meanwhile is seen.
            let answers = await store.run([passed.command, StreamReading.floor(of: journal)])
            if request.isKeyword(0, "XRANGE"), case .success(let floor)? = answers.last,
                let start = RangeStart(request.text(2) ?? ""), start.misses(upTo: EntryID(floor: floor))
            {
                return try await stale(journal)
            }
            if case .success(.array(let entries))? = answers.first, entries.count > ReadCall.entryLimit {
                throw ReplyError(
                    code: "LIMIT", message: "more than \(ReadCall.entryLimit) entries: read them with COUNT, in parts")
            }
            return passed.reply(answers.first, as: .entries)
        } catch {
            return .error(error)
        }
    }

    private func stale(_ journal: JournalName) async throws(ReplyError) -> Reply {
        do throws(StoreFailure) {
            return .stale(first: try await reading.oldest(of: journal))
        } catch {
            throw ReplyError(error)
        }
    }

    /// With a `COUNT` that shows whether there is more than is sent at once.
    private static func limited(_ request: Request, name: String, journal: JournalName) -> PassedCommand {
        let most = "\(ReadCall.entryLimit + 1)"
        if request.count == 4 {
            return PassedCommand(request, place: 1, name: name, journal: journal, more: ["COUNT", most])
        }
        if request.count == 6, let count = request.integer(5), count > ReadCall.entryLimit {
            return PassedCommand(request, place: 1, name: name, journal: journal, replaced: [5: BulkStrings([most])])
        }
        return PassedCommand(request, place: 1, name: name, journal: journal)
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
