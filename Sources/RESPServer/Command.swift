package import RESP

/// One command of a port: how it is called, who may, what it is told to be in `COMMAND DOCS`, and what it does.
///
/// A class, because it is handed on with every call.
package final class Command: Sendable {
    /// What clients and proxies want to know beforehand; the names are Redis'.
    package enum Flag: String, CaseIterable, Hashable, Sendable {
        case write
        /// Changes nothing; cancelled when the client is gone.
        case readonly
        /// May run before anybody has logged in.
        case noAuth = "no_auth"
        /// Answers at once.
        case fast
        /// May wait for something to happen; cancelled when the client is gone.
        case blocking
        /// Not inside `MULTI`.
        case noMulti = "no_multi"
        case admin
    }

    /// Name in capitals, possibly dotted: `CFG.GET`.
    package let name: String
    /// Words of a call, the name included; negative: that many or more.
    package let arity: Int
    package let flags: Set<Flag>
    /// What the account needs; nil for commands about the connection alone.
    package let permission: Permission?
    package let documentation: Documentation
    let action: Action

    enum Action: Sendable {
        case builtin(Builtin)
        case port(Handler)
    }

    /// A port's command.
    package convenience init(
        _ name: String, arity: Int, flags: Set<Flag> = [], permission: Permission, documentation: Documentation,
        handler: Handler
    ) {
        self.init(
            name: name, arity: arity, flags: flags, permission: permission, documentation: documentation,
            action: .port(handler))
    }

    init(
        name: String, arity: Int, flags: Set<Flag>, permission: Permission?, documentation: Documentation,
        action: Action
    ) {
        self.name = name.uppercased()
        self.arity = arity
        self.flags = flags
        self.permission = permission
        self.documentation = documentation
        self.action = action
    }

    /// Whether a call of this many words is one.
    package func takes(_ count: Int) -> Bool { arity >= 0 ? count == arity : count >= -arity }
}

extension Command {
    /// What a command does. Commands of a connection run one after the other, whatever they are.
    package enum Handler: Sendable {
        /// Answers on the connection's event loop, at once: nothing in it may wait or take long.
        case immediate(@Sendable (Invocation) -> Reply)
        /// Answers on Swift's pool, when it likes. A `readonly` or `blocking` command's task is cancelled when its client is
        /// gone, a `blocking` one's also when the listener drains.
        case asynchronous(@Sendable (Invocation) async -> Reply)
        /// Answers at once if it can, else on Swift's pool: what is read from memory if it is there.
        case cached(@Sendable (Invocation) -> Reply?, otherwise: @Sendable (Invocation) async -> Reply)
        /// Answers later, from anywhere, without a task of its own: what waits by the thousand.
        case deferred(@Sendable (Invocation, PendingReply) -> Void)
    }

    /// What `COMMAND DOCS` says.
    package struct Documentation: Hashable, Sendable {
        /// One sentence.
        package let summary: String
        /// The version that it came with.
        package let since: String
        /// What `redis-cli` lists it under.
        package let group: String
        /// What it costs, such as `O(1)`.
        package let complexity: String
        package let arguments: [Argument]

        package init(
            _ summary: String, since: String = "1.0.0", group: String, complexity: String = "O(1)",
            arguments: [Argument] = []
        ) {
            self.summary = summary
            self.since = since
            self.group = group
            self.complexity = complexity
            self.arguments = arguments
        }
    }

    /// An argument as `COMMAND DOCS` describes it.
    package struct Argument: Hashable, Sendable {
        package enum Kind: String, Hashable, Sendable {
            case string
            case integer
            case key
            /// The token alone.
            case pureToken = "pure-token"
            /// One of the parts.
            case oneOf = "oneof"
            /// All of the parts.
            case block
        }

        package let name: String
        package let kind: Kind
        /// The word before it, in capitals.
        package let token: String?
        package let isOptional: Bool
        package let isMultiple: Bool
        package let parts: [Argument]

        package init(
            _ name: String, _ kind: Kind = .string, token: String? = nil, isOptional: Bool = false,
            isMultiple: Bool = false, parts: [Argument] = []
        ) {
            self.name = name
            self.kind = kind
            self.token = token
            self.isOptional = isOptional
            self.isMultiple = isMultiple
            self.parts = parts
        }
    }
}
