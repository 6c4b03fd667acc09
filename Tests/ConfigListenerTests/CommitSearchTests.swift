import Journal
import NIOCore
import Projection
import Testing

@testable import ConfigListener

@Suite("Search for a token's commit") struct CommitSearchTests {
    private static let token = WriteToken(after: Position(number: 100), xid: 7)
    private static let regions: [JournalName] = [.provisioning(origin: "eu"), .provisioning(origin: "us")]

    private static func text(_ text: String) -> StoreReply { .string(ByteBuffer(string: text)) }

    private static func entry(_ id: String, _ fields: String...) -> StoreReply {
        .array([text(id), .array(fields.map { text($0) })])
    }

    private static func commit(_ id: String, xid: Int) -> StoreReply {
        entry(id, "op", "commit", "count", "1", "xid", "\(xid)")
    }

    /// Reads these entries of both journals, and these floors.
    private static func read(
        _ search: inout CommitSearch, eu: [StoreReply] = [], us: [StoreReply] = [], floors: [String?] = [nil, nil]
    ) -> Position? {
        let marks = floors.map { $0.map { text($0) } ?? .null }
        return search.read([.array(eu), marks[0], .array(us), marks[1]])
    }

    @Test("the commit is found in whichever journal has it, by its number")
    func finds() {
        var search = CommitSearch(for: Self.token, in: Self.regions)
        #expect(search.nextCommands()?.count == 4)
        let put = Self.entry("120-1", "op", "put", "tenant", "1", "type", "dn", "xid", "7")
        let found = Self.read(
            &search, eu: [Self.commit("110-2", xid: 6)], us: [put, Self.commit("120-2", xid: 7)])
        #expect(found == Position(number: 120))
    }

    @Test("what is not there yet is looked for behind what was read")
    func goesOn() {
        var search = CommitSearch(for: Self.token, in: Self.regions)
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
        var search = CommitSearch(for: Self.token, in: Self.regions)
        _ = search.nextCommands()
        #expect(Self.read(&search, us: [Self.commit("300-2", xid: 8)], floors: ["90-2", "200-1"]) == nil)
        #expect(search.cannotSucceed)
    }

    @Test("a full page is read on from, and what is no entry is passed over")
    func pages() {
        var search = CommitSearch(for: Self.token, in: Self.regions)
        _ = search.nextCommands()
        let page = (0..<CommitSearch.pageEntries).map { Self.entry("\(200 + $0)-1", "op", "put") }
        #expect(Self.read(&search, eu: page, us: [.null, Self.text("x"), .array([])]) == nil)
        #expect(search.nextCommands() != nil)
        #expect(Self.read(&search, eu: [Self.commit("900-1", xid: 7)]) == Position(number: 900))
    }
}
