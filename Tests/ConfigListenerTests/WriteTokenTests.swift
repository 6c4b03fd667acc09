import Journal
import Testing

@testable import ConfigListener

@Suite
struct WriteTokenTests {
    @Test
    func readsWhatItWrites() {
        let token = WriteToken(after: Position(number: 4_503_599_652_133_000), xid: 4_294_967_295)
        #expect(token.description == "4503599652133000-4294967295")
        #expect(WriteToken(token.description) == token)
    }

    @Test(arguments: ["", "-", "1", "1-", "-1", "1-2-3", "1-4294967296", "1 -2", "x-1", "18446744073709551616-1"])
    func refusesWhatIsNone(text: String) {
        #expect(WriteToken(text) == nil)
    }
}
