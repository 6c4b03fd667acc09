import RESP
import Testing

@testable import RESPServer

@Suite("Command table") struct CommandTableTests {
    @Test("Commands are found in any case, and nothing else is")
    func names() {
        for name in ["T.GET", "t.get", "T.get"] {
            #expect(CommandTable.test.command(named: name)?.name == "T.GET")
        }
        for name in ["", "T", "T.GE", "T.GETS", "T\0GET"] {
            #expect(CommandTable.test.command(named: name) == nil)
        }
    }

    @Test("Every command is found by its name")
    func all() {
        for (place, command) in CommandTable.test.commands.enumerated() {
            #expect(CommandTable.test.place(named: 0, of: Request(command.name)) == place)
        }
    }

    @Test("COMMAND COUNT, LIST, INFO and DOCS agree")
    func descriptions() {
        var talk = Talk(.open)
        let count = CommandTable.test.commands.count
        let counted = talk.say("COMMAND COUNT")
        #expect(counted == ":\(count)\r\n")
        let listed = talk.say("COMMAND LIST")
        #expect(listed.hasPrefix("*\(count)\r\n") && listed.contains("$5\r\nt.get\r\n"))
        let all = talk.say("COMMAND")
        #expect(all.hasPrefix("*\(count)\r\n*10\r\n$5\r\nhello\r\n:-1\r\n"))
        let some = talk.say("COMMAND INFO t.get nope")
        #expect(
            some
                == "*2\r\n*10\r\n$5\r\nt.get\r\n:2\r\n*2\r\n+fast\r\n+readonly\r\n:0\r\n:0\r\n:0\r\n*0\r\n*0\r\n*0\r\n*0\r\n*-1\r\n"
        )
        let docs = talk.say("COMMAND DOCS T.GET nope")
        #expect(
            docs == "*2\r\n$5\r\nt.get\r\n*10\r\n$7\r\nsummary\r\n$5\r\nGets.\r\n$5\r\nsince\r\n$5\r\n1.0.0\r\n"
                + "$5\r\ngroup\r\n$4\r\ntest\r\n$10\r\ncomplexity\r\n$4\r\nO(1)\r\n$9\r\narguments\r\n*1\r\n*6\r\n"
                + "$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n$12\r\ndisplay_text\r\n$3\r\nkey\r\n")
        let repeated = talk.say("COMMAND DOCS t.get T.GET t.get")
        #expect(repeated == docs)
        let everything = talk.say("COMMAND DOCS")
        #expect(everything.hasPrefix("*\(count * 2)\r\n"))
    }
}
