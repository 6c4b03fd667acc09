internal import Projection
internal import RESP

/// What reads of provisioning are refused with.
enum ReadError {
    static let syntax = ReplyError("syntax error")
    static let notAnInteger = ReplyError("value is not an integer or out of range")
    /// As Redis' `XAUTOCLAIM`; its `SCAN` says no more than that there is a syntax error.
    static let countNotPositive = ReplyError("COUNT must be > 0")
    static let timeoutNotAnInteger = ReplyError("timeout is not an integer or out of range")
    static let negativeTimeout = ReplyError("timeout is negative")
    static let timeoutTooLong = ReplyError("timeout is out of range")
    static let notAToken = ReplyError("AT takes a token as CFG.PUT answers it")
    static let notACursor = ReplyError("invalid cursor")

    static let away = ReplyError(code: "UNAVAILABLE", message: "the region's Redis does not answer")
    static let nothingProjected = ReplyError(
        code: "UNAVAILABLE", message: "nothing of PostgreSQL is in this region's cache yet")
    static let tokenTimeout = ReplyError(code: "TIMEOUT", message: "the region has not come to that token yet")
    static let unknownToken = ReplyError(
        code: "STALE", message: "it cannot be found out whether the region has come to that token")
    static let halfThere = ReplyError(code: "TIMEOUT", message: "a large transaction is being applied")
    static let noTurn = ReplyError(code: "TIMEOUT", message: "too many large reads at once; ask again")
    static let oldCursor = ReplyError(
        code: "STALE", message: "the region's Redis was lost or emptied since that cursor; list from the beginning")
    static let tooManyFound = ReplyError(
        code: "LIMIT",
        message: "more than \(ConfigReads.foundLimit) objects have this value; CFG.LIST gives all of a type by pages")
    static let tooManyIDs = ReplyError(code: "LIMIT", message: "at most \(ConfigReads.idLimit) ids in one call")
    static let tooLarge = ReplyError(
        code: "LIMIT",
        message: "the objects have more than \(ConfigReads.severalBytes >> 20) MiB together; ask for fewer at once")

    static func wrongArity(_ name: String) -> ReplyError {
        ReplyError("wrong number of arguments for '\(name)' command")
    }

    static func noSuchType(_ word: String) -> ReplyError {
        ReplyError("no such object type '\(word.prefix(64))'")
    }

    /// `fields` are those by which objects of the type are found.
    static func notIndexed(_ fields: [String], type: String) -> ReplyError {
        ReplyError(
            fields.isEmpty
                ? "objects of type \(type) are found by id alone"
                : "objects of type \(type) are found by \(fields.joined(separator: ", "))")
    }

    /// What Redis' answer, or that there was none, means for who asked.
    static func from(_ failure: StoreFailure) -> ReplyError {
        switch failure {
        case .unreachable, .unsent: away
        case .server(let code, _): ReplyError(code: "UNAVAILABLE", message: "the region's Redis refuses: \(code)")
        }
    }
}
