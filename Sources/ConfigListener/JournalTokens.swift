internal import Journal
package import Projection
internal import RESP
internal import Synchronization

/// Tells from the provisioning journals when a write is visible: its transaction's commit is the first entry of that kind,
/// behind the token's position, that carries the token's number; and the projection has come to it.
///
/// Nothing is followed: one look at the journals finds the commit, or another one once the projection has got on.
package final class JournalTokens: TokenWaiting {
    /// Where the commits of tokens stand, as far as that was found; forgotten when there are many.
    private static let knownLimit = 4096

    private let journals: [JournalName]
    private let store: any ProjectionStore
    private let progress: ProvisioningProgress
    private let bell: ProgressBell
    private let known = Mutex<[WriteToken: Position]>([:])

    /// `regions` are all there are; `store` is the local Redis, which answers at once when it is away.
    package init(regions: [String], store: any ProjectionStore, progress: ProvisioningProgress) {
        journals = regions.map { .provisioning(origin: $0) }
        self.store = store
        self.progress = progress
        bell = ProgressBell(progress)
    }

    package func wait(for token: WriteToken, within patience: Duration) async -> TokenVerdict {
        let end = ContinuousClock.now + patience
        var search = CommitSearch(for: token, in: journals)
        var position = known.withLock { $0[token] }
        var hasLooked = false
        while true {
            let rings = bell.rings
            let standing = progress.standing
            var verdict = TokenVerdict.timedOut
            if let standing, standing.position.history > token.after.history {
                // What PostgreSQL still had of the history before was compared with the cache when the new one began. A
                // commit that is found says nothing: it may have come behind the old history's end.
                if standing.isWhole { return .visible }
                verdict = .unknown
            } else {
                // A commit that is projected stands behind the token's position: before that is passed, none needs to be
                // found.
                if position == nil, !hasLooked || standing.map({ $0.position >= token.after }) ?? false {
                    hasLooked = true
                    do throws(StoreFailure) {
                        position = try await look(&search, until: end)
                    } catch {
                        return .unavailable
                    }
                    if let position { remember(position, of: token) }
                }
                if let position {
                    if let now = progress.standing?.position, now >= position, now.history == position.history {
                        return .visible
                    }
                } else if search.cannotSucceed {
                    return .unknown
                }
            }
            let left = end - ContinuousClock.now
            guard left > .zero, !Task.isCancelled else { return verdict }
            await bell.wait(after: rings, atMost: left)
        }
    }

    /// Reads on to the end of all journals, to the commit, or until time is up or nobody waits: anybody can make up a token
    /// that many entries stand behind. At least one page of each.
    private func look(
        _ search: inout CommitSearch, until end: ContinuousClock.Instant
    ) async throws(StoreFailure) -> Position? {
        while let commands = search.nextCommands() {
            if let found = search.read(try await store.answers(commands)) { return found }
            guard ContinuousClock.now < end, !Task.isCancelled else { break }
        }
        return nil
    }

    private func remember(_ position: Position, of token: WriteToken) {
        known.withLock { known in
            if known.count >= Self.knownLimit { known.removeAll() }
            known[token] = position
        }
    }
}

/// The search for a token's commit in the journals of all regions, page by page.
struct CommitSearch {
    /// Entries that are read of one journal at a time.
    static let pageEntries = 256
    /// Pages of one journal after which the search is given up: a commit stands close behind its token's position.
    static let pageLimit = 1024

    private struct Journal {
        let name: JournalName
        /// The last entry that was read.
        var last: EntryID
        var pages = 0
        var isAtEnd = false
        /// The entries that could hold the commit are trimmed.
        var isTrimmed = false
    }

    private let token: WriteToken
    private var journals: [Journal]

    init(for token: WriteToken, in journals: [JournalName]) {
        self.token = token
        self.journals = journals.map { Journal(name: $0, last: token.after.entryID(ordinal: 0)) }
    }

    /// Whether no later look can find the commit.
    var cannotSucceed: Bool { journals.contains { $0.isTrimmed || $0.pages >= Self.pageLimit } }

    /// What to ask next; nil when all journals were read to their ends, which the next call begins from.
    mutating func nextCommands() -> [RedisCommand]? {
        guard journals.contains(where: { !$0.isAtEnd && $0.pages < Self.pageLimit }) else {
            for index in journals.indices { journals[index].isAtEnd = false }
            return nil
        }
        return journals.flatMap { journal in
            [
                RedisCommand(
                    "XRANGE", journal.name.key, "(\(journal.last)", "+", "COUNT", "\(Self.pageEntries)"),
                RedisCommand("HGET", journal.name.metaKey, "floor"),
            ]
        }
    }

    /// The answers to `nextCommands`.
    mutating func read(_ answers: [StoreReply]) -> Position? {
        for index in journals.indices where answers.count > 2 * index + 1 {
            let entries = answers[2 * index].elements
            journals[index].isAtEnd = entries.count < Self.pageEntries
            journals[index].pages += journals[index].isAtEnd ? 0 : 1
            if let floor = answers[2 * index + 1].text.flatMap({ EntryID($0) }), floor > journals[index].last {
                journals[index].isTrimmed = true
            }
            for entry in entries {
                guard entry.elements.count == 2, let id = entry.elements[0].text.flatMap({ EntryID($0) }) else {
                    continue
                }
                journals[index].last = id
                if Self.xid(ofCommit: entry.elements[1].elements) == token.xid { return Position(number: id.first) }
            }
        }
        return nil
    }

    /// The transaction's number, where these fields are those of a commit.
    private static func xid(ofCommit fields: [StoreReply]) -> UInt32? {
        guard fields.count >= 2, fields[0].text == "op", fields[1].text == "commit" else { return nil }
        for index in stride(from: 2, to: fields.count - 1, by: 2) where fields[index].text == "xid" {
            return fields[index + 1].text.flatMap { UInt32($0) }
        }
        return nil
    }
}
