/// The commands that every RESP port answers itself, so that Redis clients connect unchanged.
enum Builtin: String, CaseIterable, Sendable {
    case hello
    case auth
    case ping
    case echo
    case quit
    case reset
    case select
    case client
    case command
    case info
    case multi
    case exec
    case discard

    /// Whether it is there only where the port has transactions.
    var isTransactional: Bool {
        switch self {
        case .multi, .exec, .discard: true
        case .hello, .auth, .ping, .echo, .quit, .reset, .select, .client, .command, .info: false
        }
    }

    var command: Command {
        Command(
            name: rawValue, arity: arity, flags: flags, permission: nil,
            documentation: Command.Documentation(
                summary, since: since, group: isTransactional ? "transactions" : "connection", arguments: arguments),
            action: .builtin(self))
    }

    private var arity: Int {
        switch self {
        case .hello, .ping, .quit, .command, .info: -1
        case .auth, .client: -2
        case .reset, .multi, .exec, .discard: 1
        case .echo, .select: 2
        }
    }

    private var flags: Set<Command.Flag> {
        switch self {
        case .hello, .auth, .quit, .reset: [.noAuth, .fast, .noMulti]
        case .multi, .discard, .ping, .echo, .select: [.fast, .noMulti]
        case .exec, .client, .command, .info: [.noMulti]
        }
    }

    private var since: String {
        switch self {
        case .hello: "6.0.0"
        case .reset: "6.2.0"
        case .client: "2.4.0"
        case .command: "2.8.13"
        case .discard: "2.0.0"
        case .multi, .exec: "1.2.0"
        case .auth, .ping, .echo, .quit, .select, .info: "1.0.0"
        }
    }

    private var summary: String {
        switch self {
        case .hello: "Handshakes with the server: protocol version, login, name."
        case .auth: "Logs the connection in."
        case .ping: "Returns the server's liveliness response."
        case .echo: "Returns the given string."
        case .quit: "Closes the connection."
        case .reset: "Resets the connection."
        case .select: "Changes the selected database; there is database 0 alone."
        case .client: "A container for client connection commands."
        case .command: "Returns detailed information about all commands."
        case .info: "Returns information and statistics about the server."
        case .multi: "Starts a transaction."
        case .exec: "Executes all commands in a transaction."
        case .discard: "Discards a transaction."
        }
    }

    private var arguments: [Command.Argument] {
        switch self {
        case .hello:
            [
                .init(
                    "arguments", .block, isOptional: true,
                    parts: [
                        .init("protover", .integer),
                        .init(
                            "auth", .block, token: "AUTH", isOptional: true,
                            parts: [.init("username"), .init("password")]),
                        .init("clientname", token: "SETNAME", isOptional: true),
                    ])
            ]
        case .auth: [.init("username", isOptional: true), .init("password")]
        case .ping: [.init("message", isOptional: true)]
        case .echo: [.init("message")]
        case .select: [.init("index", .integer)]
        case .client, .command: [.init("subcommand"), .init("argument", isOptional: true, isMultiple: true)]
        case .info: [.init("section", isOptional: true, isMultiple: true)]
        case .quit, .reset, .multi, .exec, .discard: []
        }
    }
}
