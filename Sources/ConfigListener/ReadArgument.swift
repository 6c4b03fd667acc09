internal import RESPServer

/// Arguments that several reads have, as `COMMAND DOCS` describes them.
enum ReadArgument {
    static let tenant = Command.Argument("tenant")
    static let type = Command.Argument("type")
    static let token = Command.Argument("token", token: "AT", isOptional: true)
    static let timeout = Command.Argument("milliseconds", .integer, token: "TIMEOUT", isOptional: true)
}
