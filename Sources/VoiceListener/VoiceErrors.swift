internal import Journal
internal import Projection
internal import RESP

extension Reply {
    /// The region's Redis is needed, and does not answer.
    static let unavailable = Reply.error(.unavailable)

    /// Entries that the client asks for are gone, or it has some that are; `first` is the oldest that is there of the stream,
    /// which it calls `name`.
    static func stale(first: EntryID?, of name: String) -> Reply {
        .error("STALE", "\(first ?? .zero) is the first entry of \(name): not all behind yours is there; read from 0")
    }
}

extension ReplyError {
    static let noStream = ReplyError(
        code: "NOTFOUND", message: "no such stream: streams are named voice:<tenant>@<region>")
    static let unavailable = ReplyError(code: "UNAVAILABLE", message: "the region's Redis does not answer")
    static let noTurn = ReplyError(code: "TIMEOUT", message: "too many reads at once; ask again")
    static let noRegion = ReplyError(code: "NOTFOUND", message: "no such region")
    static let syntax = ReplyError("syntax error")
    static let notAnInteger = ReplyError("value is not an integer or out of range")
    static let invalidID = ReplyError("Invalid stream ID specified as stream command argument")

    /// What a client is told of why Redis did not do what it asked: in Redis' words where they are about that, with the names
    /// that the client knows instead of keys. Nothing else of what Redis says is meant for it.
    init(_ failure: StoreFailure, names: [(key: String, name: String)] = []) {
        guard case .server(let code, let message) = failure, Self.codesOfStreams.contains(code),
            !message.hasPrefix("unknown command")
        else {
            self.init(ofRead: failure)
            return
        }
        var text = message
        for (key, name) in names { text = Self.replacing(key, by: name, in: text) }
        if text.contains("rs:{") {
            self.init(ofRead: failure)
        } else {
            self.init(code: code, message: text)
        }
    }

    /// Errors that are about the streams and groups, or the words, that a client says, or how much it asks for.
    private static let codesOfStreams: Set<String> = ["ERR", "WRONGTYPE", "NOGROUP", "BUSYGROUP", "LIMIT"]

    /// Errors of a server that cannot do now what it does at other times, and of the worker's own rights.
    static let passing: Set<String> = [
        "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "READONLY", "OOM", "MISCONF", "NOREPLICAS",
        "NOPERM", "NOAUTH",
    ]

    private static func replacing(_ key: String, by name: String, in text: String) -> String {
        var (result, rest) = ("", text[...])
        while let place = rest.firstRange(of: key) {
            result.append(contentsOf: rest[..<place.lowerBound])
            result += name
            rest = rest[place.upperBound...]
        }
        result.append(contentsOf: rest)
        return result
    }
}
