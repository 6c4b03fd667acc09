import Journal
import NIOCore
import Projection
import RESP
import Testing

@testable import ConfigListener

@Suite("Search for a token's commit") struct CommitSearchTests {
    private static let token = WriteToken(after: Position(number: 100), xid: 7)
    private static var search: CommitSearch { CommitSearch(for: token, in: regions, of: "us") }
    private static let regions: [JournalName] = [.provisioning(origin: "eu"), .provisioning(origin: "us")]

    private static func text(_ text: String) -> StoreReply { .string(ByteBuffer(string: text)) }

    private static func entry(_ id: String, _ fields: String...) -> StoreReply {
        .array([text(id), .array(fields.map { text($0) })])
    }

    private static func commit(_ id: String, xid: Int) -> StoreReply {
        entry(id, "op", "commit", "count", "1", "xid", "\(xid)")
    }

    /// Reads these entries of both journals, and beside them these floors, and this gap in the copy of the first.
    private static func read(
        _ search: inout CommitSearch, eu: [StoreReply] = [], us: [StoreReply] = [], floors: [String?] = [nil, nil],
        gap: String? = nil
    ) -> Position? {
        let marks = zip(floors, [gap, nil]).map { pair in
            StoreReply.array([pair.0, pair.1].map { $0.map { text($0) } ?? .null })
        }
        return search.read([.array(eu), marks[0], .array(us), marks[1]])
    }

    @Test("the commit is found in whichever journal has it, by its number")
    func finds() {
        var search = Self.search
        #expect(search.nextCommands()?.count == 4)
        let put = Self.entry("120-1", "op", "put", "tenant", "1", "type", "dn", "xid", "7")
        let found = Self.read(
            &search, eu: [Self.commit("110-2", xid: 6)], us: [put, Self.commit("120-2", xid: 7)])
        #expect(found == Position(number: 120))
    }

    @Test("what is not there yet is looked for behind what was read")
    func goesOn() {
        var search = Self.search
        _ = search.nextCommands()
        #expect(Self.read(&search, eu: [Self.commit("110-2", xid: 6)]) == nil)
        #expect(search.nextCommands() == nil)
        #expect(!search.cannotSucceed)
        // What was read may be trimmed.
        #expect(search.nextCommands()?.count == 4)
        let found = Self.read(&search, eu: [Self.commit("130-2", xid: 7)], floors: ["110-2", nil])
        #expect(found == Position(number: 130))
    }

    @Test("where entries behind the token are trimmed, nothing says any more where the commit was")
    func trimmed() {
        var search = Self.search
        _ = search.nextCommands()
        #expect(Self.read(&search, us: [Self.commit("300-2", xid: 8)], floors: ["90-2", "200-1"]) == nil)
        #expect(search.cannotSucceed)
    }

    @Test(
        "what a copy lacks may have been the commit, where it stood behind the token",
        arguments: [
            ("3 200-1", true), ("3 90-1", false), ("0 200-1", false), ("x", false),
        ])
    func gap(mark: String, hidesIt: Bool) {
        var search = Self.search
        _ = search.nextCommands()
        #expect(Self.read(&search, us: [Self.commit("300-2", xid: 8)], gap: mark) == nil)
        #expect(search.cannotSucceed == hidesIt)
    }

    @Test("a snapshot that is whole, or a difference, may have brought it; one that is due, or never closed, has not")
    func snapshots() {
        let end = { (id: String) in Self.entry(id, "op", "end-snapshot", "count", "1", "xid", "0") }
        let begin = { (id: String, mode: [String]) in
            StoreReply.array([Self.text(id), .array((["op", "begin-snapshot"] + mode).map { Self.text($0) })])
        }
        let cases: [([StoreReply], Bool)] = [
            ([begin("110-1", []), end("110-2")], true),
            ([begin("110-1", ["mode", "diff"]), end("110-2")], true),
            ([begin("110-1", ["mode", "due"]), end("110-2")], false),
            ([begin("110-1", ["mode", "diff"])], false),
            ([begin("110-1", ["mode", "diff"]), begin("120-1", ["mode", "due"]), end("120-2")], false),
            ([begin("110-1", ["mode", "diff"]), Self.commit("120-1", xid: 6)], false),
        ]
        for (entries, hidesIt) in cases {
            var (together, apart) = (Self.search, Self.search)
            #expect(Self.read(&together, eu: entries) == nil)
            for entry in entries { #expect(Self.read(&apart, eu: [entry]) == nil) }
            #expect(together.cannotSucceed == hidesIt && apart.cannotSucceed == hidesIt, "\(entries)")
        }
        // It was committed while the snapshot was made.
        var search = Self.search
        let all = [begin("110-1", []), end("110-2"), Self.commit("120-1", xid: 7)]
        #expect(Self.read(&search, eu: all) == Position(number: 120))
    }

    @Test("nothing of a later history is looked at")
    func history() {
        let token = WriteToken(after: Position(number: 1 << 52 | 5), xid: 7)
        var search = CommitSearch(for: token, in: Self.regions, of: "us")
        let words = search.nextCommands()?.first
        let expected = RedisCommand(
            "XRANGE", "rs:{_}:provisioning:eu", "(\(UInt64(1) << 52 | 5)-0", "(\(UInt64(2) << 52)-0", "COUNT",
            "\(CommitSearch.pageEntries)")
        #expect(words?.head == expected.head)
        var last = CommitSearch(for: WriteToken(after: Position(number: .max), xid: 7), in: Self.regions, of: "us")
        #expect(last.nextCommands()?.count == 4)
    }

    @Test("a full page is read on from, and what is no entry is passed over")
    func pages() {
        var search = Self.search
        _ = search.nextCommands()
        let page = (0..<CommitSearch.pageEntries).map { Self.entry("\(200 + $0)-1", "op", "put") }
        #expect(Self.read(&search, eu: page, us: [.null, Self.text("x"), .array([])]) == nil)
        #expect(search.nextCommands() != nil)
        #expect(Self.read(&search, eu: [Self.commit("900-1", xid: 7)]) == Position(number: 900))
    }
}
