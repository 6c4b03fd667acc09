internal import Journal
internal import Projection
internal import RESP
internal import RESPServer

/// Commands about one stream that Redis answers.
extension VoiceReads {
    var passedCommands: [Command] {
        let key = Command.Argument("key", .key)
        let group = Command.Argument("group")
        let id = Command.Argument("ID", isMultiple: true)
        return [
            passed("XLEN", 2, "Counts the entries of a stream.", [key]),
            passed("XACK", -4, "Acknowledges entries for a group.", [key, group, id], changes: true),
            passed("XPENDING", -3, "Tells what a group has not acknowledged.", [key, group, Self.pendingRange]) {
                $0.count == 3 ? .pending : .plain
            },
            container(
                "XGROUP", "Makes, moves and removes groups and their consumers.",
                ["CREATE", "SETID", "DESTROY", "CREATECONSUMER", "DELCONSUMER"], changes: true),
            container(
                "XINFO", "Tells of a stream, its groups and their consumers.", ["STREAM", "GROUPS", "CONSUMERS"]),
        ]
    }

    private static var pendingRange: Command.Argument {
        Command.Argument(
            "filters", .block, isOptional: true,
            parts: [
                Command.Argument("min-idle-time", .integer, token: "IDLE", isOptional: true),
                Command.Argument("start"), Command.Argument("end"), Command.Argument("count", .integer),
                Command.Argument("consumer", isOptional: true),
            ])
    }

    private static var rest: Command.Argument { Command.Argument("option", isOptional: true, isMultiple: true) }

    private func passed(
        _ name: String, _ arity: Int, _ summary: String, _ arguments: [Command.Argument], changes: Bool = false,
        as shape: @escaping @Sendable (Request) -> StreamReplies.Shape = { _ in .plain }
    ) -> Command {
        Command(
            name, arity: arity, flags: [changes ? .write : .readonly], permission: .read,
            documentation: Command.Documentation(summary, group: "stream", arguments: arguments),
            handler: .asynchronous { await pass($0, place: 1, as: shape($0.request)) })
    }

    /// A command whose second word says what it does.
    private func container(
        _ name: String, _ summary: String, _ subcommands: [StaticString], changes: Bool = false
    ) -> Command {
        Command(
            name, arity: -2, flags: [changes ? .write : .readonly], permission: .read,
            documentation: Command.Documentation(
                summary, group: "stream",
                arguments: [
                    Command.Argument(
                        "subcommand", .oneOf,
                        parts: subcommands.map { Command.Argument("\($0)".lowercased(), .pureToken, token: "\($0)") }),
                    Command.Argument("key", .key), Self.rest,
                ]),
            handler: .asynchronous { invocation in
                let request = invocation.request
                if request.isKeyword(1, "HELP"), request.count == 2 { return await help(request) }
                guard subcommands.contains(where: { request.isKeyword(1, $0) }) else {
                    return .error(ReplyError("unknown subcommand '\(shown(request))'. Try \(name) HELP."))
                }
                return await pass(invocation, place: 2, as: shape(request))
            })
    }

    private func shown(_ request: Request) -> String { String((request.text(1) ?? "").prefix(128)) }

    private func shape(_ request: Request) -> StreamReplies.Shape {
        if request.isKeyword(0, "XINFO") {
            guard request.isKeyword(1, "STREAM") else { return .maps }
            return request.isKeyword(3, "FULL") ? .full : .map
        }
        return request.isKeyword(1, "CREATE") || request.isKeyword(1, "SETID") ? .status : .plain
    }

    private func help(_ request: Request) async -> Reply {
        switch await store.run([PassedCommand.plain(request)]).first {
        case .success(let lines)?: return StreamReplies.reply(lines, as: .lines)
        case .failure(let failure)?: return .error(ReplyError(failure))
        case nil: return .unavailable
        }
    }

    /// The stream that is named at `place`.
    func stream(_ place: Int, of invocation: Invocation) async throws(ReplyError) -> (String, JournalName) {
        guard let name = invocation.request.validText(place) else { throw .noStream }
        guard let journal = try await streams.journals([name], for: invocation.account).first else { throw .noStream }
        return (name, journal)
    }

    private func pass(_ invocation: Invocation, place: Int, as shape: StreamReplies.Shape) async -> Reply {
        do throws(ReplyError) {
            let request = invocation.request
            // Too few words: Redis has the error for it.
            guard request.count > place else {
                let answer = await store.run([PassedCommand.plain(request)]).first
                if case .failure(let failure)? = answer { throw ReplyError(failure) }
                throw .syntax
            }
            try checkSize(request)
            let (name, journal) = try await stream(place, of: invocation)
            try await checkMaking(request, of: journal)
            let passed = PassedCommand(
                request, place: place, name: name, journal: journal, replaced: try await withheld(request, journal))
            let answer = await store.run([passed.command]).first
            if request.isKeyword(0, "XGROUP"), request.isKeyword(1, "DESTROY"), case .success(.integer(1))? = answer {
                feed.destroyed(request.text(3) ?? "", of: journal)
            }
            return passed.reply(answer, as: shape)
        } catch {
            return .error(error)
        }
    }

    /// Most commands answer as much as they are asked for, `XINFO STREAM … FULL COUNT 0` everything there is.
    private func checkSize(_ request: Request) throws(ReplyError) {
        if request.isKeyword(0, "XPENDING") {
            let place = request.isKeyword(3, "IDLE") ? 7 : 5
            if let count = request.integer(place), count > ReadCall.groupLimit { throw Self.wrongCount }
        } else if request.isKeyword(0, "XINFO"), request.isKeyword(4, "COUNT"), let count = request.integer(5) {
            // That many entries, and of each group and consumer as many that are pending.
            guard count != 0, count <= PageSize.roundLimit else {
                throw ReplyError(code: "LIMIT", message: "COUNT is 1 to \(PageSize.roundLimit)")
            }
        }
    }

    static let wrongCount = ReplyError(code: "LIMIT", message: "COUNT is 1 to \(ReadCall.groupLimit)")

    /// `MKSTREAM` of a copy that has not begun is left out: a stream of somebody else's under its key would keep the mirror
    /// from beginning it.
    private func withheld(_ request: Request, _ journal: JournalName) async throws(ReplyError) -> [Int: BulkStrings] {
        guard request.isKeyword(0, "XGROUP"), request.isKeyword(1, "CREATE"), journal.origin != streams.region else {
            return [:]
        }
        let places = (5..<max(request.count, 5)).filter { request.isKeyword($0, "MKSTREAM") }
        guard !places.isEmpty else { return [:] }
        do throws(StoreFailure) {
            let answers = try await store.answers([RedisCommand("EXISTS", journal.metaKey)])
            if answers.first == StoreReply.integer(1) { return [:] }
        } catch {
            throw ReplyError(error)
        }
        return Dictionary(uniqueKeysWithValues: places.map { ($0, BulkStrings()) })
    }
}
