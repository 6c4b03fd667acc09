internal import RESP

/// What may stand behind the words of a read: `AT token`, `TIMEOUT ms`, and of a list `CURSOR c` and `COUNT n`, in any order.
struct ReadOptions {
    private enum Option {
        case at
        case timeout
        case cursor
        case count

        init?(_ request: Request, _ index: Int, isPaged: Bool) {
            if request.isKeyword(index, "AT") {
                self = .at
            } else if request.isKeyword(index, "TIMEOUT") {
                self = .timeout
            } else if isPaged, request.isKeyword(index, "CURSOR") {
                self = .cursor
            } else if isPaged, request.isKeyword(index, "COUNT") {
                self = .count
            } else {
                return nil
            }
        }
    }

    /// Milliseconds that a reader may wait.
    private static let longestTimeout: Int64 = 60_000
    /// Objects that one step of a list looks for.
    private static let countLimit: Int64 = 10_000

    /// What the read must see.
    private(set) var token: WriteToken?
    /// How long it may wait for that, and for a transaction that is being applied.
    private(set) var patience = Duration.seconds(1)
    /// Where a list goes on; nil: at its beginning.
    private(set) var cursor: ListCursor?
    private(set) var count = 100
    /// Where they begin in the request.
    private(set) var start: Int

    /// Reads them from the end of the request back to the word at `first`, which may be the first of them.
    init(_ request: Request, behind first: Int, isPaged: Bool = false) throws(ReplyError) {
        var seen: Set<Option> = []
        start = request.count
        while start - 2 >= first, let option = Option(request, start - 2, isPaged: isPaged) {
            guard seen.insert(option).inserted else { throw ReadError.syntax }
            try set(option, request, start - 1)
            start -= 2
        }
    }

    private mutating func set(_ option: Option, _ request: Request, _ index: Int) throws(ReplyError) {
        switch option {
        case .at:
            guard let token = request.text(index).flatMap({ WriteToken($0) }) else { throw ReadError.notAToken }
            self.token = token
        case .timeout:
            guard let milliseconds = request.integer(index) else { throw ReadError.timeoutNotAnInteger }
            guard milliseconds >= 0 else { throw ReadError.negativeTimeout }
            guard milliseconds <= Self.longestTimeout else { throw ReadError.timeoutTooLong }
            patience = .milliseconds(milliseconds)
        case .cursor:
            guard let text = request.text(index) else { throw ReadError.notACursor }
            guard text != ListCursor.end else { break }
            guard let cursor = ListCursor(text) else { throw ReadError.notACursor }
            self.cursor = cursor
        case .count:
            guard let count = request.integer(index) else { throw ReadError.notAnInteger }
            guard count > 0 else { throw ReadError.countNotPositive }
            self.count = Int(min(count, Self.countLimit))
        }
    }
}
