internal import Journal
internal import NIOCore
internal import Projection
internal import RESP
internal import RESPServer

/// Taking over what other consumers have not acknowledged. Entries are claimed in rounds of few, until there is enough: what
/// is claimed is sent, and what is not sent stays whose it is. `JUSTID` has no entries to send.
extension VoiceReads {
    var claimCommands: [Command] {
        [
            command(
                "XCLAIM", "Gives entries that a consumer has not acknowledged to another.",
                [
                    Command.Argument("ID", isMultiple: true),
                    Command.Argument("ms", .integer, token: "IDLE", isOptional: true),
                    Command.Argument("unix-time-milliseconds", .integer, token: "TIME", isOptional: true),
                    Command.Argument("count", .integer, token: "RETRYCOUNT", isOptional: true),
                    Command.Argument("force", .pureToken, token: "FORCE", isOptional: true), Self.justID,
                ]
            ) { await claim($0) },
            command(
                "XAUTOCLAIM", "Gives a consumer what others have not acknowledged for long.",
                [
                    Command.Argument("start"),
                    Command.Argument("count", .integer, token: "COUNT", isOptional: true), Self.justID,
                ]
            ) { await claimNext($0) },
        ]
    }

    private static var justID: Command.Argument {
        Command.Argument("justid", .pureToken, token: "JUSTID", isOptional: true)
    }

    private func command(
        _ name: String, _ summary: String, _ which: [Command.Argument],
        _ answer: @escaping @Sendable (Invocation) async -> Reply
    ) -> Command {
        Command(
            name, arity: -6, flags: [.write], permission: .read,
            documentation: Command.Documentation(
                summary, group: "stream",
                arguments: [
                    Command.Argument("key", .key), Command.Argument("group"), Command.Argument("consumer"),
                    Command.Argument("min-idle-time", .integer),
                ] + which),
            handler: .asynchronous { invocation in await feed.inTurn { await answer(invocation) } })
    }

    // MARK: XCLAIM

    private func claim(_ invocation: Invocation) async -> Reply {
        do throws(ReplyError) {
            let request = invocation.request
            // Behind the IDs there are ten words of options.
            guard request.count <= Self.firstID + ReadCall.groupLimit + 10 else {
                throw ReplyError(code: "LIMIT", message: "more than \(ReadCall.groupLimit) IDs")
            }
            let (name, journal) = try await stream(1, of: invocation)
            try await checkConsumer(request, of: journal)
            let ids = try Self.ids(request)
            let asksForIDs = Self.asksForIDs(request, behind: ids.upperBound)
            var claimed: [StoreReply] = []
            var (start, bytes) = (ids.lowerBound, 0)
            repeat {
                let size = asksForIDs ? ReadCall.groupLimit : PageSize.round(behind: bytes)
                let end = min(start + size, ids.upperBound)
                let others = ids.filter { $0 < start || $0 >= end }
                let passed = PassedCommand(
                    request, place: 1, name: name, journal: journal,
                    replaced: Dictionary(uniqueKeysWithValues: others.map { ($0, BulkStrings()) }))
                let answer = await store.run([passed.command]).first
                guard case .success(let entries)? = answer else {
                    // What was claimed before is the consumer's: it gets that.
                    if claimed.isEmpty { return passed.reply(answer, as: .entries) }
                    break
                }
                claimed += entries.elements
                bytes += entries.byteCount
                start = end
            } while start < ids.upperBound && bytes < PageSize.wantedBytes
            return StreamReplies.reply(.array(claimed), as: .entries)
        } catch {
            return .error(error)
        }
    }

    /// The consumer who claims is made where it is not there.
    private func checkConsumer(_ request: Request, of journal: JournalName) async throws(ReplyError) {
        try await bounds.checkConsumer(GroupNames(request, at: 2), in: [journal])
    }

    /// Where the IDs of `XCLAIM` begin, and the start of `XAUTOCLAIM` stands.
    private static let firstID = 5

    /// Where the IDs stand. Few are for Redis to look at, whatever they are.
    private static func ids(_ request: Request) throws(ReplyError) -> Range<Int> {
        let words = firstID..<max(request.count, firstID)
        let end = words.first { !startsWithDigit(request, $0) } ?? words.upperBound
        guard end - firstID > PageSize.roundLimit else { return firstID..<end }
        for index in firstID..<end {
            guard let id = request.validText(index), EntryID(read: id) != nil else { throw .invalidID }
        }
        return firstID..<end
    }

    private static func startsWithDigit(_ request: Request, _ index: Int) -> Bool {
        (request[index]?.readableBytesView.first).map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
    }

    private static func asksForIDs(_ request: Request, behind index: Int) -> Bool {
        (index..<request.count).contains { request.isKeyword($0, "JUSTID") }
    }

    // MARK: XAUTOCLAIM

    private func claimNext(_ invocation: Invocation) async -> Reply {
        do throws(ReplyError) {
            let request = invocation.request
            let asked = AutoclaimOptions(request)
            if let asked, asked.count > ReadCall.groupLimit { throw Self.wrongCount }
            let (name, journal) = try await stream(1, of: invocation)
            try await checkConsumer(request, of: journal)
            guard let options = asked, !options.asksForIDs, options.count > 0 else {
                let passed = PassedCommand(request, place: 1, name: name, journal: journal)
                return passed.reply(await store.run([passed.command]).first, as: .plain)
            }
            var rounds = AutoclaimRounds(count: options.count)
            while let count = rounds.next {
                var replaced: [Int: BulkStrings] = [:]
                if let cursor = rounds.cursor { replaced[Self.firstID] = BulkStrings([cursor]) }
                // Redis takes the last of several counts.
                let passed = PassedCommand(
                    request, place: 1, name: name, journal: journal, replaced: replaced, more: ["COUNT", "\(count)"])
                let answer = await store.run([passed.command]).first
                guard case .success(let some)? = answer, rounds.took(some.elements) else {
                    if rounds.cursor == nil { return passed.reply(answer, as: .plain) }
                    break
                }
            }
            return StreamReplies.reply(rounds.reply, as: .plain)
        } catch {
            return .error(error)
        }
    }
}

/// What stands behind the start of an `XAUTOCLAIM`.
private struct AutoclaimOptions {
    /// Entries that are wanted at most.
    private(set) var count = 100
    private(set) var asksForIDs = false

    /// Nil where Redis knows what is wrong with it.
    init?(_ request: Request) {
        var index = 6
        while index < request.count {
            if request.isKeyword(index, "COUNT"), let number = request.integer(index + 1) {
                count = Int(clamping: number)
                index += 2
            } else if request.isKeyword(index, "JUSTID") {
                asksForIDs = true
                index += 1
            } else {
                return nil
            }
        }
    }
}
