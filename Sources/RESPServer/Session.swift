package import RESP

/// One client's side of a RESP port: who it is, how it wants replies, what it has queued. A value without I/O.
///
/// The driver reports each request in order, does what the answer says, and reports nothing else until that is done:
/// a command it is told to run is over when its reply has been sent.
package struct Session: Sendable {
    /// What a connection is, from its first byte to its last.
    package struct Facts: Hashable, Sendable {
        /// Its number, never used twice in a process.
        package let id: Int64
        /// Where it comes from and where to, as `host:port`.
        package let address: String
        package let localAddress: String
        /// When it was accepted.
        package let accepted: Duration

        package init(id: Int64, address: String, localAddress: String, accepted: Duration) {
            self.id = id
            self.address = address
            self.localAddress = localAddress
            self.accepted = accepted
        }
    }

    /// What a request asks of the driver.
    package enum Action: Sendable {
        /// Send this.
        case answer(Reply)
        /// Run the command at this place of the table, for this account, and send what it answers.
        case run(place: Int, account: Account)
        /// Run all of them as one, for this account, and send the array that comes of it.
        case commit([QueuedCommand], account: Account)
        /// Check the login; report `loggedIn` or `loginRefused` and send what that answers.
        case logIn(Login)
        /// Send these sections of `INFO`, all of them where none is named.
        case inform([String])
        /// Send the reply, if there is one, and close.
        case close(Reply?)
    }

    /// Who the client is.
    enum Identity: Hashable, Sendable {
        /// Nobody yet. → named, anonymous (other accounts)
        case nobody
        /// Who need not say so. → named, nobody (other accounts)
        case anonymous(Account)
        /// Who has logged in, or shown a certificate. → named, anonymous and nobody (RESET, other accounts)
        case named(Account)
    }

    /// Which replies are sent.
    enum ReplyMode: Hashable, Sendable {
        case on
        case off
    }

    let facts: Facts
    let table: CommandTable
    var anonymous: Account?
    /// The names in the client's certificate, and whom it belongs to.
    var certificateNames: [String] = []
    var certified: Account?
    var identity: Identity
    var pendingLogin: PendingLogin?
    var replyMode = ReplyMode.on
    var skipsNextReply = false
    var queue: TransactionQueue?
    var isNotEvicted = false
    var doesNotTouch = false
    var libraryName = ""
    var libraryVersion = ""

    /// How replies are written from now on.
    package internal(set) var version = RESPVersion.two
    /// What the client calls itself; empty at first.
    package internal(set) var name = ""
    /// Whether the reply to the last request is kept from the client, as it wished. Pushes are sent all the same.
    package internal(set) var isMuted = false
    /// Place in the table of the last request's command; nil where there is no such command.
    package internal(set) var place: Int?

    /// A connection that was just accepted.
    package init(facts: Facts, table: CommandTable, accounts: Accounts) {
        self.facts = facts
        self.table = table
        anonymous = accounts.anonymous
        identity = accounts.anonymous.map { Identity.anonymous($0) } ?? .nobody
    }

    /// Whether the client need not log in any more.
    package var isKnown: Bool {
        if case .nobody = identity { false } else { true }
    }

    /// Who the client is; nil as long as it has to log in.
    package var account: Account? {
        switch identity {
        case .nobody: nil
        case .anonymous(let account), .named(let account): account
        }
    }
}

// MARK: - Facts

extension Session {
    /// A request came.
    package mutating func received(_ request: Request, at now: Duration) -> Action {
        isMuted = replyMode == .off || skipsNextReply
        skipsNextReply = false
        place = table.place(named: 0, of: request)
        guard let place else { return unknown(request) }
        let command = table.commands[place]
        guard command.takes(request.count) else { return refuse(.wrongArity(command.name)) }
        guard let account else {
            guard case .builtin(let builtin) = command.action, command.flags.contains(.noAuth) else {
                return refuse(ReplyError(code: "NOAUTH", message: "Authentication required."))
            }
            return run(builtin, request, at: now)
        }
        guard account.may(command.permission) else { return refuse(.noPermission(account, command)) }
        switch command.action {
        case .builtin(let builtin):
            guard queue == nil || builtin.isAllowedInTransaction else { return refuse(.notInTransaction) }
            return run(builtin, request, at: now)
        case .port:
            guard queue != nil else { return .run(place: place, account: account) }
            return enqueue(command, request)
        }
    }

    /// The client showed a certificate, which has been verified, with these names.
    ///
    /// - Returns: Whether that is a login.
    package mutating func certificateShown(with names: [String], to accounts: Accounts) -> Bool {
        certificateNames = names
        certified = accounts.account(ofCertificate: names)
        guard let certified else { return false }
        identity = .named(certified)
        return true
    }

    /// The accounts were replaced. Who is logged in has the account of that name from now on, or none; by a certificate, the
    /// one that it belongs to now.
    package mutating func accountsChanged(to accounts: Accounts) {
        let before = account?.name
        // What was queued for one account is not carried out for another.
        defer { if account?.name != before { queue?.isBroken = true } }
        let isByCertificate = certified != nil && account == certified
        anonymous = accounts.anonymous
        certified = accounts.account(ofCertificate: certificateNames)
        switch identity {
        case .named(let account) where !isByCertificate:
            identity = accounts.account(named: account.name).map { Identity.named($0) } ?? unnamed
        case .named, .anonymous, .nobody: identity = unnamed
        }
    }

    /// Who a client is that has not said a name.
    var unnamed: Identity {
        certified.map { Identity.named($0) } ?? anonymous.map { Identity.anonymous($0) } ?? .nobody
    }

    /// Answers with an error; a transaction that is being queued cannot be carried out any more.
    mutating func refuse(_ error: ReplyError) -> Action {
        queue?.isBroken = true
        return .answer(.error(error))
    }

    private mutating func unknown(_ request: Request) -> Action {
        // What a browser sends, which a page elsewhere may have made it do: nothing behind it is a request either.
        if request.isKeyword(0, "POST") || request.isKeyword(0, "HOST:") { return .close(nil) }
        return refuse(.unknownCommand(request))
    }
}

// MARK: - Commands of the connection

extension Session {
    private mutating func run(_ builtin: Builtin, _ request: Request, at now: Duration) -> Action {
        switch builtin {
        case .hello: return hello(request)
        case .auth: return auth(request)
        case .ping:
            guard request.count <= 2 else { return refuse(.wrongArity("PING")) }
            return .answer(request[1].map { Reply.bulk($0) } ?? .simple("PONG"))
        case .echo: return .answer(request[1].map { Reply.bulk($0) } ?? .null)
        case .quit: return .close(.ok)
        case .reset: return reset()
        case .select: return select(request)
        case .client: return client(request, at: now)
        case .command: return describe(request)
        case .info: return .inform(request.words(from: 1).map { $0.lowercased() })
        case .multi: return multi()
        case .exec: return exec()
        case .discard: return discard()
        }
    }

    private mutating func select(_ request: Request) -> Action {
        guard let index = request.integer(1) else { return refuse(.notAnInteger) }
        guard index == 0 else { return refuse(ReplyError("DB index is out of range")) }
        return .answer(.ok)
    }

    private mutating func reset() -> Action {
        queue = nil
        identity = unnamed
        version = .two
        replyMode = .on
        isMuted = false
        isNotEvicted = false
        doesNotTouch = false
        name = ""
        return .answer(.simple("RESET"))
    }

    private mutating func describe(_ request: Request) -> Action {
        guard let subcommand = request.text(1)?.uppercased() else { return .answer(table.infoReply(nil)) }
        switch subcommand {
        case "COUNT" where request.count == 2: return .answer(.integer(Int64(table.commands.count)))
        case "LIST" where request.count == 2: return .answer(table.listReply)
        case "INFO": return .answer(table.infoReply(request.count == 2 ? nil : request.words(from: 2)))
        case "DOCS": return .answer(table.docsReply(request.count == 2 ? nil : request.words(from: 2)))
        case "HELP" where request.count == 2: return .answer(HelpLines.command)
        case "COUNT", "LIST", "HELP": return refuse(.wrongArity("COMMAND|\(subcommand)"))
        default: return refuse(.unknownSubcommand(request, of: "COMMAND"))
        }
    }
}

extension Request {
    /// The words from `index` on, as text.
    func words(from index: Int) -> [String] {
        guard index < count else { return [] }
        return (index..<count).compactMap { text($0) }
    }
}
