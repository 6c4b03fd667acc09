import Journal
import RESP
import Testing

@testable import ConfigListener

@Suite("Options of reads")
struct ReadOptionsTests {
    private static let token = "4503599652133000-7"

    @Test("stand at the end, in any order and case")
    func order() throws {
        let request = Request("CFG.GET", "t", "person", "7", "timeout", "250", "at", Self.token)
        let options = try ReadOptions(request, behind: 4)
        #expect(options.start == 4)
        #expect(options.patience == .milliseconds(250))
        #expect(options.token == WriteToken(Self.token))
        let none = try ReadOptions(Request("CFG.GET", "t", "person", "7"), behind: 4)
        #expect(none.start == 4 && none.patience == .seconds(1) && none.token == nil)
    }

    @Test("do not take the words that must be there")
    func words() throws {
        let ids = try ReadOptions(Request("CFG.MGET", "t", "person", "AT", "x", "TIMEOUT", "0"), behind: 4)
        #expect(ids.start == 5 && ids.patience == .zero)
        let find = try ReadOptions(Request("CFG.FIND", "t", "person", "AT", "x"), behind: 5)
        #expect(find.start == 5 && find.token == nil)
        let list = try ReadOptions(
            Request("CFG.LIST", "t", "person", "COUNT", "7", "CURSOR", "5-ab-3"), behind: 3, isPaged: true)
        #expect(list.start == 3 && list.count == 7)
        #expect(list.cursor == ListCursor(position: Position(number: 5), life: "ab", scan: 3))
        let get = try ReadOptions(Request("CFG.GET", "t", "person", "7", "COUNT", "7"), behind: 4)
        #expect(get.start == 6)
    }

    @Test(
        "are refused where they are none",
        arguments: [
            ("AT", "7", ReadError.notAToken), ("AT", "", ReadError.notAToken),
            ("TIMEOUT", "x", ReadError.timeoutNotAnInteger), ("TIMEOUT", "-1", ReadError.negativeTimeout),
            ("TIMEOUT", "60001", ReadError.timeoutTooLong), ("TIMEOUT", "1.5", ReadError.timeoutNotAnInteger),
            ("COUNT", "0", ReadError.countNotPositive), ("COUNT", "-1", ReadError.countNotPositive),
            ("COUNT", "x", ReadError.notAnInteger), ("COUNT", "9223372036854775808", ReadError.notAnInteger),
            ("CURSOR", "x", ReadError.notACursor), ("CURSOR", "1-ab-0", ReadError.notACursor),
            ("CURSOR", "1-ab", ReadError.notACursor), ("CURSOR", "-1-ab-2", ReadError.notACursor),
        ])
    func refused(word: String, value: String, error: ReplyError) {
        #expect(throws: error) {
            try ReadOptions(Request("CFG.LIST", "t", "person", word, value), behind: 3, isPaged: true)
        }
    }

    @Test("are not said twice, and have bounds")
    func bounds() throws {
        let twice = Request("CFG.GET", "t", "person", "7", "TIMEOUT", "1", "TIMEOUT", "2")
        #expect(throws: ReadError.syntax) { try ReadOptions(twice, behind: 4) }
        let request = Request("CFG.LIST", "t", "person", "COUNT", "9223372036854775807", "TIMEOUT", "60000")
        let list = try ReadOptions(request, behind: 3, isPaged: true)
        #expect(list.count == 10_000 && list.patience == .seconds(60))
        let beginning = try ReadOptions(
            Request("CFG.LIST", "t", "person", "CURSOR", "0"), behind: 3, isPaged: true)
        #expect(beginning.cursor == nil && beginning.start == 3)
    }

    @Test("A cursor reads what it writes")
    func cursor() {
        let cursor = ListCursor(position: Position(number: .max), life: "0123456789ab", scan: .max)
        #expect(ListCursor(cursor.description) == cursor)
    }

    @Test("Ids are sorted: numbers by size, before all others")
    func sorted() {
        let ids = ["10", "9", "b", "7,9", "-3", "07", "7", "", "a"]
        #expect(ConfigReads.sorted(ids) == ["-3", "07", "7", "9", "10", "", "7,9", "a", "b"])
    }
}
