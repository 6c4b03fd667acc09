import RESP
import Testing

@testable import RESPServer

@Suite("Session") struct SessionTests {
    @Test("Commands of the connection, as Redis answers them")
    func connection() {
        var talk = Talk(.open)
        for (said, sent) in [
            ("PING", "+PONG\r\n"), ("ping hello", "$5\r\nhello\r\n"), ("ECHO x", "$1\r\nx\r\n"),
            ("SELECT 0", "+OK\r\n"), ("CLIENT ID", ":7\r\n"), ("CLIENT GETNAME", "$-1\r\n"),
            ("CLIENT SETNAME me", "+OK\r\n"), ("CLIENT GETNAME", "$2\r\nme\r\n"),
            ("CLIENT SETINFO LIB-NAME redis-py", "+OK\r\n"), ("client setinfo lib-ver 5.0", "+OK\r\n"),
            ("CLIENT NO-EVICT on", "+OK\r\n"), ("CLIENT NO-TOUCH ON", "+OK\r\n"), ("CLIENT NO-TOUCH OFF", "+OK\r\n"),
            ("INFO", "(inform [])"), ("INFO Server CLIENTS", "(inform [\"server\", \"clients\"])"),
            ("QUIT", "(close)+OK\r\n"),
        ] as [(String, String)] {
            let answer = talk.say(said)
            #expect(answer == sent, "\(said)")
        }
    }

    @Test("Errors in Redis' words")
    func errors() {
        var talk = Talk(.open)
        for (said, sent) in [
            ("NOPE a bc", "-ERR unknown command 'NOPE', with args beginning with: 'a' 'bc' \r\n"),
            ("nope", "-ERR unknown command 'nope', with args beginning with: \r\n"),
            ("ECHO", "-ERR wrong number of arguments for 'echo' command\r\n"),
            ("PING a b", "-ERR wrong number of arguments for 'ping' command\r\n"),
            ("t.get", "-ERR wrong number of arguments for 't.get' command\r\n"),
            ("SELECT 1", "-ERR DB index is out of range\r\n"),
            ("SELECT x", "-ERR value is not an integer or out of range\r\n"),
            ("CLIENT", "-ERR wrong number of arguments for 'client' command\r\n"),
            ("CLIENT KILL x", "-ERR unknown subcommand 'KILL'. Try CLIENT HELP.\r\n"),
            ("CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command\r\n"),
            ("CLIENT SETINFO LIB-COLOR red", "-ERR Unrecognized option 'lib-color'\r\n"),
            ("CLIENT NO-EVICT maybe", "-ERR syntax error\r\n"),
            ("CLIENT REPLY maybe", "-ERR syntax error\r\n"),
            ("HELLO x", "-ERR Protocol version is not an integer or out of range\r\n"),
            ("HELLO 4", "-NOPROTO unsupported protocol version\r\n"),
            ("HELLO 3 AUTH me", "-ERR Syntax error in HELLO option 'AUTH'\r\n"),
            (
                "AUTH x",
                "-ERR AUTH <password> called without any password configured for the default user. "
                    + "Are you sure your configuration is correct?\r\n"
            ),
            ("AUTH a b c", "-ERR syntax error\r\n"),
            ("COMMAND NOPE", "-ERR unknown subcommand 'NOPE'. Try COMMAND HELP.\r\n"),
            ("COMMAND COUNT x", "-ERR wrong number of arguments for 'command|count' command\r\n"),
            ("EXEC", "-ERR EXEC without MULTI\r\n"), ("DISCARD", "-ERR DISCARD without MULTI\r\n"),
        ] as [(String, String)] {
            let answer = talk.say(said)
            #expect(answer == sent, "\(said)")
        }
        let label = String(repeating: "n", count: 129)
        for words in ["CLIENT SETNAME \(label)", "CLIENT SETINFO lib-name \(label)", "HELLO 3 SETNAME \(label)"] {
            let answer = talk.say(words)
            #expect(answer == "-LIMIT a name of more than 128 bytes\r\n")
        }
        let name = talk.say(Request("CLIENT", "SETNAME", "a b"))
        #expect(name == "-ERR Client names cannot contain spaces, newlines or special characters.\r\n")
        let long = talk.say(Request("NOPE", String(repeating: "a", count: 500), "b"))
        #expect(long.utf8.count < 250)
    }

    @Test("A client that has not logged in may do nothing else")
    func login() {
        var talk = Talk()
        for (said, sent) in [
            ("PING", "-NOAUTH Authentication required.\r\n"), ("T.GET a", "-NOAUTH Authentication required.\r\n"),
            ("COMMAND", "-NOAUTH Authentication required.\r\n"), ("MULTI", "-NOAUTH Authentication required.\r\n"),
            ("AUTH pulse wrong", "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
            ("AUTH nobody sesame", "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
            ("AUTH sesame", "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
            ("AUTH pulse sesame", "+OK\r\n"), ("PING", "+PONG\r\n"), ("T.GET a", "(run T.GET for pulse)"),
            ("T.PUT a b", "-NOPERM User pulse has no permissions to run the 't.put' command\r\n"),
            ("AUTH gws wrong", "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
            ("T.GET a", "(run T.GET for pulse)"), ("AUTH gws sesame", "+OK\r\n"),
            ("T.PUT a b", "(run T.PUT for gws)"), ("RESET", "+RESET\r\n"),
            ("PING", "-NOAUTH Authentication required.\r\n"), ("QUIT", "(close)+OK\r\n"),
        ] as [(String, String)] {
            let answer = talk.say(said)
            #expect(answer == sent, "\(said)")
        }
    }

    @Test("HELLO: version, login and name in one step, or nothing of it")
    func hello() {
        var talk = Talk()
        let refused = talk.say("HELLO 3")
        #expect(refused.hasPrefix("-NOAUTH HELLO must be called with the client already authenticated, otherwise"))
        let wrong = talk.say("HELLO 3 AUTH gws wrong SETNAME me")
        #expect(wrong.hasPrefix("-WRONGPASS"))
        #expect(talk.session.version == .two && talk.session.name.isEmpty && talk.session.account == nil)
        let right = talk.say("HELLO 3 AUTH gws sesame SETNAME me")
        #expect(right.hasPrefix("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n"))
        #expect(right.contains("$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:7\r\n"))
        #expect(talk.session.version == .three && talk.session.name == "me" && talk.session.account == .writer)
        let none = talk.say("CLIENT GETNAME")
        #expect(none == "$2\r\nme\r\n")
        let back = talk.say("HELLO 2")
        #expect(back.hasPrefix("*14\r\n$6\r\nserver\r\n"))
        let same = talk.say("HELLO")
        #expect(same.hasPrefix("*14\r\n"))
    }

    @Test("Replies that are not wanted")
    func replies() {
        var talk = Talk(.open)
        for (said, sent) in [
            ("CLIENT REPLY SKIP", "(nothing)"), ("PING", "(nothing)"), ("PING", "+PONG\r\n"),
            ("CLIENT REPLY OFF", "(nothing)"), ("PING", "(nothing)"), ("NOPE", "(nothing)"),
            ("CLIENT REPLY SKIP", "(nothing)"), ("PING", "(nothing)"), ("PING", "(nothing)"),
            ("CLIENT REPLY ON", "+OK\r\n"), ("PING", "+PONG\r\n"),
            ("CLIENT REPLY OFF", "(nothing)"), ("RESET", "+RESET\r\n"), ("PING", "+PONG\r\n"),
        ] as [(String, String)] {
            let answer = talk.say(said)
            #expect(answer == sent, "\(said)")
        }
    }

    @Test("Transactions are queued, and carried out only if every command could be")
    func transactions() {
        var talk = Talk(.open)
        for (said, sent) in [
            ("MULTI", "+OK\r\n"), ("MULTI", "-ERR MULTI calls can not be nested\r\n"),
            ("T.PUT a b", "+QUEUED\r\n"), ("T.GET a", "+QUEUED\r\n"),
            ("EXEC", "(commit [\"T.PUT a b\", \"T.GET a\"] for default)"),
            ("MULTI", "+OK\r\n"), ("EXEC", "*0\r\n"),
            ("MULTI", "+OK\r\n"), ("T.PUT a b", "+QUEUED\r\n"), ("DISCARD", "+OK\r\n"),
            ("T.GET a", "(run T.GET for default)"),
            ("MULTI", "+OK\r\n"), ("T.PUT a", "-ERR wrong number of arguments for 't.put' command\r\n"),
            ("T.PUT a b", "+QUEUED\r\n"),
            ("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n"),
            ("MULTI", "+OK\r\n"), ("T.WAIT", "-ERR Command not allowed inside a transaction\r\n"),
            ("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n"),
            ("MULTI", "+OK\r\n"), ("PING", "-ERR Command not allowed inside a transaction\r\n"),
            ("RESET", "+RESET\r\n"), ("EXEC", "-ERR EXEC without MULTI\r\n"),
        ] as [(String, String)] {
            let answer = talk.say(said)
            #expect(answer == sent, "\(said)")
        }
    }

    @Test("A transaction has limits, in commands and in bytes")
    func transactionLimits() {
        var talk = Talk(.open)
        _ = talk.say("MULTI")
        for _ in 0..<TransactionQueue.commandLimit { _ = talk.say("T.PUT a b") }
        let many = talk.say("T.PUT a b")
        #expect(many == "-LIMIT too many commands in a transaction\r\n")
        let aborted = talk.say("EXEC")
        #expect(aborted.hasPrefix("-EXECABORT"))
        _ = talk.say("MULTI")
        let large = String(repeating: "x", count: TransactionQueue.byteLimit / 2)
        let first = talk.say("T.PUT a \(large)")
        #expect(first == "+QUEUED\r\n")
        let second = talk.say("T.PUT a \(large)")
        #expect(second.hasPrefix("-LIMIT"))
    }

    @Test("What a transaction takes of memory: where each word stands, and each command, as well")
    func transactionMemory() {
        var talk = Talk(.open)
        _ = talk.say("MULTI")
        _ = talk.say("T.PUT " + Array(repeating: "a", count: 1000).joined(separator: " "))
        let words = talk.session.queue?.heldBytes ?? 0
        #expect(words >= 1000 * (1 + MemoryLayout<Range<Int>>.stride))
        for _ in 0..<100 { _ = talk.say("T.PUT a b") }
        let commands = talk.session.queue?.heldBytes ?? 0
        #expect(commands - words >= 100 * 256)
        _ = talk.say("DISCARD")
        let isOpen = talk.session.queue != nil
        #expect(!isOpen)
    }

    @Test("A port without transactions does not know MULTI")
    func withoutTransactions() {
        var talk = Talk(.open, table: CommandTable([]))
        let answer = talk.say("MULTI")
        #expect(answer == "-ERR unknown command 'MULTI', with args beginning with: \r\n")
    }

    @Test("Accounts that are replaced: other permissions at once, none for who is gone")
    func replacedAccounts() {
        var talk = Talk()
        _ = talk.say("AUTH pulse sesame")
        let widened = Account(name: "pulse", permissions: [.read, .write], tenants: .all)
        talk.session.accountsChanged(to: Accounts([.init(account: widened, secrets: [])]))
        let put = talk.say("T.PUT a b")
        #expect(put == "(run T.PUT for pulse)" && talk.session.account == widened)
        talk.session.accountsChanged(to: Accounts([]))
        let gone = talk.say("PING")
        #expect(gone == "-NOAUTH Authentication required.\r\n")
        talk.session.accountsChanged(to: .open)
        let anonymous = talk.say("PING")
        #expect(anonymous == "+PONG\r\n")
    }

    @Test("A transaction outlasts new accounts, though not its own account")
    func transactionOfAnother() {
        var talk = Talk()
        _ = talk.say("AUTH gws sesame")
        _ = talk.say("MULTI")
        let queued = talk.say("T.GET a")
        #expect(queued == "+QUEUED\r\n")
        let narrowed = Account(name: "gws", permissions: [.read], tenants: .all)
        talk.session.accountsChanged(to: Accounts([.init(account: narrowed, secrets: [])]))
        let committed = talk.say("EXEC")
        #expect(committed == "(commit [\"T.GET a\"] for gws)")
        _ = talk.say("MULTI")
        _ = talk.say("T.GET a")
        talk.session.accountsChanged(to: Accounts([.init(account: .reader, secrets: [])]))
        let other = talk.say("AUTH pulse sesame")
        #expect(other == "+OK\r\n" && talk.session.account == .reader)
        let aborted = talk.say("EXEC")
        #expect(aborted == "-EXECABORT Transaction discarded because of previous errors.\r\n")
    }

    @Test("A certificate is a login, which RESET goes back to")
    func certificate() {
        var talk = Talk()
        #expect(Accounts.test.account(ofCertificate: ["x", "pulse.example.com"]) == .reader)
        #expect(Accounts.test.account(ofCertificate: ["x"]) == nil)
        let isStranger = !talk.session.certificateShown(with: ["x"], to: .test)
        #expect(isStranger && talk.session.account == nil)
        let isLogin = talk.session.certificateShown(with: ["x", "pulse.example.com"], to: .test)
        #expect(isLogin && talk.session.account == .reader)
        _ = talk.say("AUTH gws sesame")
        #expect(talk.session.account == .writer)
        _ = talk.say("RESET")
        #expect(talk.session.account == .reader)
    }

    @Test("A certificate is worth what the accounts say of it now")
    func certificateOfBefore() {
        var talk = Talk()
        let names = ["pulse.example.com"]
        let isLogin = talk.session.certificateShown(with: names, to: .test)
        #expect(isLogin && talk.session.account == .reader)
        let none = Accounts([.init(account: .reader, secrets: []), .init(account: .writer, secrets: [])])
        talk.session.accountsChanged(to: none)
        #expect(talk.session.account == nil)
        talk.session.accountsChanged(
            to: Accounts([.init(account: .writer, secrets: [], certificateNames: Set(names))]))
        #expect(talk.session.account == .writer)
        talk.session.accountsChanged(to: .test)
        #expect(talk.session.account == .reader)
        // Who has said a secret stays who it is.
        _ = talk.say("AUTH gws sesame")
        talk.session.accountsChanged(to: none)
        #expect(talk.session.account == .writer)
        _ = talk.say("RESET")
        #expect(talk.session.account == nil)
    }

    @Test("What a browser sends ends the connection without a word", arguments: ["POST / HTTP/1.1", "Host: localhost"])
    func browser(_ line: String) {
        var talk = Talk()
        let answer = talk.say(line)
        #expect(answer == "(close)")
    }

    @Test("Help names every subcommand", arguments: [("CLIENT", 19), ("COMMAND", 13)])
    func help(_ command: String, _ lines: Int) {
        var talk = Talk(.open)
        let help = talk.say("\(command) HELP")
        #expect(help.hasPrefix("*\(lines)\r\n+\(command) <subcommand> ") && help.contains("+HELP\r\n"))
    }

    @Test("CLIENT INFO tells what is known")
    func clientInfo() {
        var talk = Talk(.open)
        _ = talk.say("CLIENT SETNAME me")
        _ = talk.say("CLIENT SETINFO LIB-NAME lib")
        _ = talk.say("HELLO 3")
        let info = talk.say("CLIENT INFO")
        #expect(info.contains("txt:id=7 addr=192.0.2.1:4 laddr=192.0.2.2:8888 name=me age=10 idle=0 flags=N db=0"))
        #expect(info.contains(" user=default resp=3 lib-name=lib lib-ver=\n"))
    }
}
