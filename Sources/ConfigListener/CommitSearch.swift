internal import Journal
internal import Projection
internal import RESP

/// The search for a token's commit in the journals of all regions, page by page, up to the end of its history.
struct CommitSearch {
    /// Entries that are read of one journal at a time.
    static let pageEntries = 32
    /// Pages of one journal after which the search is given up: a commit stands close behind its token's position.
    static let pageLimit = 8192

    fileprivate struct Journal {
        let name: JournalName
        /// The last entry that was read.
        var last: EntryID
        var pages = 0
        var isAtEnd = false
        /// The position of the last snapshot that has begun, where it names objects.
        var snapshot: UInt64?
        /// The commit may be among what has no entry here: what is trimmed, what never came to this copy, or what a snapshot
        /// took from PostgreSQL, without the transactions that it is from.
        var isIncomplete = false
    }

    private let token: WriteToken
    /// The field beside a journal that says what this region's copy of it will never have.
    private let gapField: String
    /// Where no entry of the token's history stands any more.
    private let end: String
    private var journals: [Journal]

    /// `region` is this one, whose copies are searched.
    init(for token: WriteToken, in journals: [JournalName], of region: String) {
        self.token = token
        gapField = CopyGap.field(in: region)
        // What a later history has of the same number is another transaction.
        end = Position(history: token.after.history + 1, lsn: 0).map { "(\($0.entryID(ordinal: 0))" } ?? "+"
        self.journals = journals.map { Journal(name: $0, last: token.after.entryID(ordinal: 0)) }
    }

    /// Whether no later look can be sure to find the commit.
    var cannotSucceed: Bool { journals.contains { $0.isIncomplete || $0.pages >= Self.pageLimit } }

    /// What to ask next; nil when all journals were read to their ends, which the next call begins from.
    mutating func nextCommands() -> [RedisCommand]? {
        guard journals.contains(where: { !$0.isAtEnd && $0.pages < Self.pageLimit }) else {
            for index in journals.indices { journals[index].isAtEnd = false }
            return nil
        }
        return journals.flatMap { journal in
            [
                RedisCommand(
                    "XRANGE", journal.name.key, "(\(journal.last)", end, "COUNT", "\(Self.pageEntries)"),
                RedisCommand("HMGET", journal.name.metaKey, "floor", gapField),
            ]
        }
    }

    /// The answers to `nextCommands`.
    mutating func read(_ answers: [StoreReply]) -> Position? {
        for index in journals.indices where answers.count > 2 * index + 1 {
            let entries = answers[2 * index].elements
            journals[index].isAtEnd = entries.count < Self.pageEntries
            journals[index].pages += journals[index].isAtEnd ? 0 : 1
            journals[index].note(marks: answers[2 * index + 1].elements.map(\.text))
            for entry in entries {
                guard entry.elements.count == 2, let id = entry.elements[0].text.flatMap({ EntryID($0) }) else {
                    continue
                }
                if journals[index].passed(id, EntryWords(entry.elements[1])) == token.xid {
                    return Position(number: id.first)
                }
            }
        }
        return nil
    }
}

extension CommitSearch.Journal {
    /// The floor and the gap, as they stand beside the journal behind a read.
    fileprivate mutating func note(marks: [String?]) {
        guard marks.count == 2 else { return }
        if let floor = marks[0].flatMap({ EntryID($0) }), floor > last { isIncomplete = true }
        if let gap = marks[1].flatMap({ CopyGap($0) }), gap.missed > 0, gap.through > last { isIncomplete = true }
    }

    /// An entry was read. The number of the transaction that it closes; nil where it closes none.
    fileprivate mutating func passed(_ id: EntryID, _ entry: EntryWords) -> UInt32? {
        last = id
        switch entry["op"] {
        case "begin-snapshot": snapshot = entry["mode"] == "due" ? nil : id.first
        case "end-snapshot": if snapshot == id.first { isIncomplete = true }
        case "commit": return entry["xid"].flatMap { UInt32($0) }
        default: break
        }
        return nil
    }
}

/// The fields of an entry as a reply has them.
private struct EntryWords {
    private let elements: [StoreReply]

    init(_ reply: StoreReply) { elements = reply.elements }

    subscript(name: String) -> String? {
        stride(from: 0, to: elements.count - 1, by: 2).first { elements[$0].text == name }
            .flatMap { elements[$0 + 1].text }
    }
}
