internal import RESP

/// What `CLIENT HELP` and `COMMAND HELP` answer: the subcommands there are, each with what it does under it.
enum HelpLines {
    static let client = reply(
        "CLIENT",
        [
            ("GETNAME", "Return the name of the current connection."),
            ("ID", "Return the ID of the current connection."),
            ("INFO", "Return information about the current connection."),
            ("NO-EVICT (ON|OFF)", "Remember the wish not to be evicted; no client is."),
            ("NO-TOUCH (ON|OFF)", "Remember the wish not to alter the keys' clocks; there are none."),
            ("REPLY (ON|OFF|SKIP)", "Control the replies sent to the current connection."),
            ("SETINFO <option> <value>", "Set the library's name (LIB-NAME) or version (LIB-VER)."),
            ("SETNAME <name>", "Assign a name to the current connection."),
            ("HELP", "Print this help."),
        ])

    static let command = reply(
        "COMMAND",
        [
            ("(no subcommand)", "Return details about all commands."),
            ("COUNT", "Return the number of commands."),
            ("DOCS [<command-name> ...]", "Return documentation of commands."),
            ("INFO [<command-name> ...]", "Return details about commands."),
            ("LIST", "Return the names of all commands."),
            ("HELP", "Print this help."),
        ])

    private static func reply(_ name: String, _ subcommands: [(name: String, meaning: String)]) -> Reply {
        let head = "\(name) <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
        let lines = subcommands.flatMap { [$0.name, "    \($0.meaning)"] }
        return .array(([head] + lines).map { .simple($0) })
    }
}
