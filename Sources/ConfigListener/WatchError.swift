internal import RESP

/// What watches and looks at history are refused with.
enum WatchError {
    static let needsPushes = ReplyError("CFG.WATCH needs RESP3: say HELLO 3 first")
    static let tooMany = ReplyError(
        code: "LIMIT", message: "more than \(ProvisioningWatches.limit) watches on a connection")
    static let noWatch = ReplyError(code: "NOTFOUND", message: "no such watch")
    static let notAPosition = ReplyError("FROM takes a position as watches, lists and histories answer it")
    static let trimmed = ReplyError(
        code: "STALE", message: "what lies behind that position is no longer kept; list again")
    static let unknownHistory = ReplyError(
        code: "STALE", message: "that position is of a history that this region does not know to its end; list again")
    static let unnamed = ReplyError(
        code: "STALE", message: "behind that position objects changed that are not named; list again")
    static let repaired = ReplyError(
        code: "STALE", message: "objects were put right in this region since that position; list again")
    static let countOutOfRange = ReplyError("COUNT is from 1 to \(ProvisioningFeed.historyLimit)")

    static func from(_ failure: ProvisioningPages.Failure) -> ReplyError {
        switch failure {
        case .missing: trimmed
        case .store(let failure): ReadError.from(failure)
        }
    }
}
