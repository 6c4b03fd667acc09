internal import Projection
internal import RESP

/// What a range is read in: pages of entries, each sized by those before it, until there is enough, too much or no more.
struct RangePages: Sendable {
    enum Step: Hashable, Sendable {
        /// Read so many more, behind this entry.
        case read(behind: String, count: Int)
        /// That is all.
        case done
        /// It is more than is sent at once.
        case tooMuch
    }

    /// Entries that are wanted, at most.
    let wanted: Int
    private(set) var entries: [StoreReply] = []
    private var byteCount = 0
    /// How many entries the page has that is on its way, at most.
    private(set) var count: Int

    init(wanted: Int) {
        self.wanted = wanted
        count = min(wanted, PageSize.pageLimit)
    }

    /// Takes a page.
    mutating func take(_ page: [StoreReply]) -> Step {
        entries += page
        byteCount += page.reduce(0) { $0 + $1.byteCount }
        guard entries.count <= ReadCall.entryLimit else { return .tooMuch }
        guard byteCount <= PageSize.wantedBytes || entries.count <= 1 else { return .tooMuch }
        guard page.count >= count, let last = page.last?.elements.first?.text else { return .done }
        // One more than is sent shows that there is more.
        let most = min(wanted, ReadCall.entryLimit + 1)
        guard entries.count < most else { return .done }
        count = min(most - entries.count, PageSize.next(behind: entries.count, bytes: byteCount))
        return .read(behind: last, count: count)
    }
}

extension ReplyError {
    static let tooLarge = ReplyError(
        code: "LIMIT",
        message: "more than \(ReadCall.entryLimit) entries or 16 MiB: read them in parts, with COUNT or a closer range")
}
