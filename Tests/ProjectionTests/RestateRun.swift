import Journal
import Projection
import RESP
import Testing

/// A region that has seen all, in `full`, and region ap-south, in `new`, whose copies begin behind what was trimmed.
struct RestateRun {
    static let journals = ["us-east", "eu-west"].map { JournalName.voice(tenant: "101", origin: $0) }
    private static let state = "rs:{101}:projection"

    let full: PlainRedis
    let new: PlainRedis
    /// What was said of a journal so far.
    struct Telling {
        var since = ""
        var birth = ""
        var last = ""
        var left: [(kind: String, id: String)] = []
        var told = 0
    }

    /// Where the copies end.
    private var copied: [JournalName: String] = [:]

    init(full: PlainRedis, new: PlainRedis) throws {
        self.full = full
        self.new = new
        for redis in [full, new] { try redis.loadFunctions() }
    }

    private func entries(_ journal: JournalName, behind id: String) throws -> [StoreReply] {
        try full("XRANGE", journal.key, "(\(id)", "+").elements
    }

    /// The copies begin here, behind so many entries of each journal; what is missing is noted.
    mutating func begin(behind counts: [Int]) throws {
        for (journal, count) in zip(Self.journals, counts) {
            let all = try entries(journal, behind: "0-0").compactMap { $0.elements[0].text }
            copied[journal] = count > 0 ? all[count - 1] : "0-0"
            let gap = CopyGap(missed: UInt64(count), through: all.last.flatMap { EntryID($0) } ?? .zero)
            try new("HSET", journal.metaKey, "birth", "b", CopyGap.field(in: "ap-south"), gap.description)
            try full("HSET", journal.metaKey, "birth", "b")
        }
    }

    mutating func copy() throws {
        for journal in Self.journals {
            for entry in try entries(journal, behind: copied[journal] ?? "0-0") {
                let words = entry.elements[1].elements.compactMap(\.text)
                let id = entry.elements[0].text ?? ""
                try new.call(["XADD", journal.key, id] + words)
                copied[journal] = id
            }
        }
    }

    private func tell(_ journal: JournalName, _ telling: Telling, _ some: [(kind: String, id: String)])
        throws -> StoreReply
    {
        let keys = some.map { $0.kind == "call" ? "call:{101}:\($0.id)" : "agent:{101}:\($0.id)" }
        var words = ["FCALL", "rsr1_tell", "\(3 + keys.count)", Self.state, journal.key, journal.metaKey] + keys
        words += ["voice:\(journal.origin)", "64", journal.origin, telling.birth, telling.last]
        return try full.call(words + some.flatMap { [$0.kind, $0.id] })
    }

    /// Looks what there is to be restated; nil where not all that is missing is in state.
    func begin(_ journal: JournalName) throws -> Telling? {
        let answer = try tell(journal, Telling(), []).elements
        guard answer.count == 3, let since = answer[0].text, let birth = answer[1].text,
            let gap = try new("HGET", journal.metaKey, CopyGap.field(in: "ap-south")).text.flatMap({ CopyGap($0) }),
            let id = EntryID(since), id >= gap.through
        else { return nil }
        var telling = Telling(since: since, birth: birth)
        telling.left = try full.members("calls:{101}:active").sorted().map { ("call", $0) }
        let agents = try full("KEYS", "agent:{101}:*").elements.compactMap(\.text).sorted()
        telling.left += agents.map { ("agent", String($0.dropFirst("agent:{101}:".count))) }
        return telling
    }

    /// Restates some of what is left, or the end when nothing is; nil when that is said.
    func goOn(_ journal: JournalName, _ telling: Telling, count: Int, request: String) throws -> Telling? {
        var telling = telling
        guard !telling.left.isEmpty else {
            // Both owners are on this server, so the mark is not one region's alone.
            let mark = journal == Self.journals[0] ? "answered:ap-south" : "answered:ap-south of \(journal.origin)"
            let data = #"{"end":{"since":"\#(telling.since)","records":"\#(telling.told)"}}"#
            let answer = try full(
                "FCALL", "rsr1_end", "3", Self.state, journal.key, journal.metaKey, "voice:\(journal.origin)",
                telling.birth, telling.last, telling.since, mark, request, "ap-south", data)
            #expect(answer == .integer(1))
            return nil
        }
        let some = Array(telling.left.prefix(count))
        let answer = try tell(journal, telling, some).elements
        guard answer.count == 3 + some.count else { return telling }  // too much is not projected yet
        telling.last = answer[2].text ?? ""
        let waiting = zip(some, answer.dropFirst(3)).filter { $1 == .integer(-1) }.map(\.0)
        telling.told += answer.dropFirst(3).count { $0 == .integer(1) }
        telling.left = Array(telling.left.dropFirst(some.count)) + waiting
        return telling
    }
}

extension VoiceImage {
    /// Calls that live, and agents.
    var live: [String: [String: String]] {
        hashes.filter { !$0.key.hasPrefix("rs:") && $0.value["endedAt"] == nil }
    }
}
