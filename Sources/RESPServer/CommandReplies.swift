internal import RESP

/// What `COMMAND` and its subcommands answer.
extension CommandTable {
    /// `COMMAND`, `COMMAND INFO [name …]`: nothing for a name that no command has.
    func infoReply(_ names: [String]?) -> Reply {
        guard let names else { return .array(commands.map(\.infoReply)) }
        return .array(names.map { command(named: $0)?.infoReply ?? .nullArray })
    }

    /// `COMMAND DOCS [name …]`: names that no command has are left out; so are repetitions, as a short word asks for much.
    func docsReply(_ names: [String]?) -> Reply {
        var seen: Set<String> = []
        let described =
            names.map { $0.compactMap { command(named: $0) }.filter { seen.insert($0.name).inserted } } ?? commands
        return .map(described.map { Reply.Pair(.text($0.name.lowercased()), $0.documentation.reply) })
    }

    /// `COMMAND LIST`.
    var listReply: Reply { .array(commands.map { .text($0.name.lowercased()) }) }
}

extension Command {
    /// Name, arity, flags, no keys, no categories, no tips, no key specifications, no subcommands.
    fileprivate var infoReply: Reply {
        .array([
            .text(name.lowercased()), .integer(Int64(arity)),
            .set(flags.map(\.rawValue).sorted().map { .simple($0) }),
            .integer(0), .integer(0), .integer(0), .set([]), .array([]), .array([]), .array([]),
        ])
    }
}

extension Command.Documentation {
    fileprivate var reply: Reply {
        var pairs = [
            Reply.Pair(.text("summary"), .text(summary)), Reply.Pair(.text("since"), .text(since)),
            Reply.Pair(.text("group"), .text(group)), Reply.Pair(.text("complexity"), .text(complexity)),
        ]
        if !arguments.isEmpty { pairs.append(Reply.Pair(.text("arguments"), .array(arguments.map(\.reply)))) }
        return .map(pairs)
    }
}

extension Command.Argument {
    fileprivate var reply: Reply {
        var pairs = [Reply.Pair(.text("name"), .text(name)), Reply.Pair(.text("type"), .text(kind.rawValue))]
        if parts.isEmpty, kind != .pureToken { pairs.append(Reply.Pair(.text("display_text"), .text(name))) }
        if let token { pairs.append(Reply.Pair(.text("token"), .text(token))) }
        let flags = (isOptional ? ["optional"] : []) + (isMultiple ? ["multiple"] : [])
        if !flags.isEmpty { pairs.append(Reply.Pair(.text("flags"), .set(flags.map { .simple($0) }))) }
        if !parts.isEmpty { pairs.append(Reply.Pair(.text("arguments"), .array(parts.map(\.reply)))) }
        return .map(pairs)
    }
}
