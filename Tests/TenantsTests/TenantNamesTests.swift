import RESP
import Testing

@testable import Tenants

@Suite
struct TenantNamesTests {
    private let names = TenantNames([(1, "Environment"), (101, "Été"), (102, nil), (103, "105"), (104, "")])

    @Test(
        arguments: [
            ("1", 1), ("Environment", 1), ("Été", 101), ("102", 102),
            // A number is a dbid, be it of no tenant; what is only like one is a name.
            ("105", 105), ("-7", -7), ("0101", nil), ("+101", nil), ("environment", nil), ("Environmen", nil),
            // The same text for people, other bytes.
            ("E\u{301}te\u{301}", nil),
        ] as [(String, Int64?)])
    func finds(word: String, dbid: Int64?) {
        #expect(names.dbid(in: Request("CFG.GET", word), at: 1) == dbid)
    }

    @Test
    func addsThoseThatItDoesNotHave() {
        let all = TenantNames([(101, "Summer"), (105, nil)]).adding(names)
        #expect(all.dbids == [1, 101, 102, 103, 104, 105])
        #expect(all.dbid(in: Request("Environment"), at: 0) == 1)
        #expect(all.dbid(in: Request("Summer"), at: 0) == 101)
        #expect(all.dbid(in: Request("Été"), at: 0) == nil)
    }

    @Test
    func findsNoneInBytesThatAreNoText() {
        #expect(names.dbid(in: Request(bytes: [[0xff, 0x00]]), at: 0) == nil)
        #expect(names.dbid(in: Request(bytes: [Array(repeating: 0x61, count: 1 << 16)]), at: 0) == nil)
    }

    @Test
    func findsTheEmptyNameOnlyWhereThereIsAWord() {
        #expect(names.dbid(in: Request(""), at: 0) == 104)
        #expect(names.dbids == [1, 101, 102, 103, 104])
    }
}
