package import RESP

/// Errors in the words that Redis 7 has for them.
extension ReplyError {
    static let syntax = ReplyError("syntax error")
    static let notAnInteger = ReplyError("value is not an integer or out of range")
    static let notInTransaction = ReplyError("Command not allowed inside a transaction")
    package static let closing = ReplyError(code: "UNAVAILABLE", message: "the server is closing")
    static let tooMuchInput = ReplyError(
        code: "LIMIT", message: "too much is kept of what clients sent; try again later")
    static let badClientName = ReplyError("Client names cannot contain spaces, newlines or special characters.")
    /// Bytes of what a client calls itself and its library.
    static let labelBytes = 128
    static let labelTooLong = ReplyError(code: "LIMIT", message: "a name of more than \(labelBytes) bytes")
    static let helloWithoutLogin = ReplyError(
        code: "NOAUTH",
        message: "HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
            + "<user> <pass> option can be used to authenticate the client and select the RESP protocol version at "
            + "the same time")

    /// `name` as in the table; a subcommand's stands behind `|`.
    static func wrongArity(_ name: String) -> ReplyError {
        ReplyError("wrong number of arguments for '\(name.lowercased())' command")
    }

    static func noPermission(_ account: Account, _ command: Command) -> ReplyError {
        ReplyError(
            code: "NOPERM",
            message: "User \(account.name) has no permissions to run the '\(command.name.lowercased())' command")
    }

    static func unknownSubcommand(_ request: Request, of name: String) -> ReplyError {
        ReplyError("unknown subcommand '\(shown(request, 1))'. Try \(name) HELP.")
    }

    /// Name and arguments as they came, up to 128 bytes of each.
    static func unknownCommand(_ request: Request) -> ReplyError {
        var arguments = ""
        for index in 1..<max(request.count, 1) {
            guard arguments.utf8.count < 128 else { break }
            arguments += "'\(shown(request, index, within: 128 - arguments.utf8.count))' "
        }
        return ReplyError("unknown command '\(shown(request, 0))', with args beginning with: \(arguments)")
    }

    private static func shown(_ request: Request, _ index: Int, within limit: Int = 128) -> String {
        request.withBytes(index) { word in
            unsafe word.withUnsafeBytes { unsafe String(decoding: $0.prefix(limit), as: UTF8.self) }
        }
    }
}
