import NIOCore
import RESP

@testable import RESPServer

/// A session without a server: what is said to it, and what it would have sent.
struct Talk {
    var session: Session
    var now = Duration.seconds(100)

    init(_ accounts: Accounts = .test, table: CommandTable = .test) {
        session = Session(
            facts: Session.Facts(id: 7, address: "192.0.2.1:4", localAddress: "192.0.2.2:8888", accepted: .seconds(90)),
            table: table, accounts: accounts)
    }

    /// Says words, apart at spaces, and answers what is sent: wire form, `(nothing)`, or what is to be done.
    mutating func say(_ line: String) -> String {
        say(Request(bytes: line.split(separator: " ", omittingEmptySubsequences: false).map { Array($0.utf8) }))
    }

    mutating func say(_ request: Request) -> String {
        switch session.received(request, at: now) {
        case .answer(let reply): return sent(reply)
        case .run(let place, let account): return "(run \(session.table.commands[place].name) for \(account.name))"
        case .commit(let commands, let account):
            return "(commit \(commands.map { $0.request.words(from: 0).joined(separator: " ") }) for \(account.name))"
        case .logIn(let login):
            let accounts = Accounts.test
            guard let account = accounts.account(for: login) else { return sent(session.loginRefused()) }
            let answer = session.loggedIn(as: account)
            return sent(answer)
        case .inform(let sections): return "(inform \(sections))"
        case .close(let reply): return "(close)" + (reply.map { sent($0) } ?? "")
        }
    }

    private func sent(_ reply: Reply) -> String {
        guard !session.isMuted else { return "(nothing)" }
        var buffer = ByteBuffer()
        ReplyEncoder(version: session.version).encode(reply, into: &buffer)
        return String(buffer: buffer)
    }
}

extension Account {
    static let reader = Account(name: "pulse", permissions: [.read], tenants: .some([101]))
    static let writer = Account(name: "gws", permissions: [.read, .write, .control], tenants: .all)
}

extension SecretHash {
    /// Of `sesame`.
    static let sesame = SecretHash("#d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272")
}

extension Accounts {
    /// Two accounts with the secret `sesame`; everybody has to log in.
    static let test = Accounts([
        Entry(
            account: .reader, secrets: [SecretHash.sesame].compactMap(\.self), certificateNames: ["pulse.example.com"]),
        Entry(account: .writer, secrets: [SecretHash.sesame].compactMap(\.self)),
    ])
    /// Who has not logged in may do everything.
    static let open = Accounts(
        [], anonymous: Account(name: "default", permissions: [.read, .write, .control], tenants: .all))
}

extension CommandTable {
    static let test = CommandTable(
        [
            Command(
                "T.GET", arity: 2, flags: [.readonly, .fast], permission: .read,
                documentation: Command.Documentation("Gets.", group: "test", arguments: [.init("key", .key)]),
                handler: .immediate { .bulk($0.request[1] ?? ByteBuffer()) }),
            Command(
                "T.PUT", arity: -3, flags: [.write], permission: .write,
                documentation: Command.Documentation("Puts.", group: "test"), handler: .immediate { _ in .ok }),
            Command(
                "T.WAIT", arity: 1, flags: [.blocking], permission: .read,
                documentation: Command.Documentation("Waits.", group: "test"), handler: .deferred { _, _ in }),
        ],
        transaction: { .array($0.commands.map { _ in Reply.ok }) })
}
