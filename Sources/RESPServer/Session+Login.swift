package import RESP

/// What is left to do once a login has been checked.
enum PendingLogin: Hashable, Sendable {
    case auth
    case hello(Greeting)
}

/// What `HELLO` asks for besides a login.
struct Greeting: Hashable, Sendable {
    /// Nil: as it is.
    var version: RESPVersion?
    /// Nil: as it is.
    var name: String?
}

extension Session {
    /// The login was right.
    ///
    /// - Returns: What to send.
    package mutating func loggedIn(as account: Account) -> Reply {
        identity = .named(account)
        defer { pendingLogin = nil }
        guard case .hello(let greeting)? = pendingLogin else { return .ok }
        return greet(greeting)
    }

    /// The login was wrong; who was logged in stays so, as in Redis.
    ///
    /// - Returns: What to send.
    package mutating func loginRefused() -> Reply {
        pendingLogin = nil
        return .error("WRONGPASS", "invalid username-password pair or user is disabled.")
    }

    /// The login was not looked at: too many others of the same source have failed.
    ///
    /// - Returns: What to send.
    package mutating func loginPostponed() -> Reply {
        pendingLogin = nil
        return .error("LIMIT", "too many failed logins from this address; try again later")
    }

    mutating func auth(_ request: Request) -> Action {
        guard request.count <= 3 else { return refuse(ReplyError("syntax error")) }
        if request.count == 2, anonymous != nil {
            return refuse(
                ReplyError(
                    "AUTH <password> called without any password configured for the default user. "
                        + "Are you sure your configuration is correct?"))
        }
        pendingLogin = .auth
        let name = request.count == 2 ? Account.defaultName : request.text(1) ?? ""
        return .logIn(Login(name: name, secret: request.bytes(request.count - 1)))
    }

    mutating func hello(_ request: Request) -> Action {
        var greeting = Greeting()
        if request.count > 1 {
            guard let number = request.integer(1) else {
                return refuse(ReplyError("Protocol version is not an integer or out of range"))
            }
            guard let version = Int(exactly: number).flatMap(RESPVersion.init(rawValue:)) else {
                return refuse(ReplyError(code: "NOPROTO", message: "unsupported protocol version"))
            }
            greeting.version = version
        }
        var login: Login?
        var index = 2
        while index < request.count {
            if request.isKeyword(index, "AUTH"), index + 2 < request.count {
                login = Login(name: request.text(index + 1) ?? "", secret: request.bytes(index + 2))
                index += 3
            } else if request.isKeyword(index, "SETNAME"), index + 1 < request.count {
                guard let name = request.printable(index + 1) else {
                    return refuse(request.isTooLong(index + 1) ? .labelTooLong : .badClientName)
                }
                greeting.name = name
                index += 2
            } else {
                return refuse(ReplyError("Syntax error in HELLO option '\(request.text(index) ?? "")'"))
            }
        }
        if let login {
            pendingLogin = .hello(greeting)
            return .logIn(login)
        }
        guard account != nil else { return refuse(.helloWithoutLogin) }
        return .answer(greet(greeting))
    }

    private mutating func greet(_ greeting: Greeting) -> Reply {
        version = greeting.version ?? version
        name = greeting.name ?? name
        return .map([
            "server": .text("redis"), "version": .text(ServerIdentity.redisVersion),
            "proto": .integer(Int64(version.rawValue)), "id": .integer(facts.id), "mode": .text("standalone"),
            "role": .text("master"), "modules": .array([]),
        ])
    }
}

extension Request {
    /// The bytes of the word at `index`, copied.
    func bytes(_ index: Int) -> [UInt8] {
        withBytes(index) { word in unsafe word.withUnsafeBytes { unsafe Array($0) } }
    }

    /// The word at `index` where it has no spaces and no bytes but ASCII's printable ones, as Redis wants names, and is not
    /// too long to be kept for as long as the client stays.
    func printable(_ index: Int) -> String? {
        guard !isTooLong(index), let text = text(index), text.utf8.allSatisfy({ 0x21...0x7e ~= $0 }) else { return nil }
        return text
    }

    func isTooLong(_ index: Int) -> Bool { withBytes(index) { $0.byteCount } > ReplyError.labelBytes }
}
