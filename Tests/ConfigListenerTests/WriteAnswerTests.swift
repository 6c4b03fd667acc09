import Journal
import RESP
import Testing

@testable import ConfigListener

@Suite("What a write is answered with")
struct WriteAnswerTests {
    private let token = WriteToken(after: Position(number: 4_503_599_652_133_000), xid: 77)

    @Test("is remembered as text, whatever the ID looks like", arguments: ["7", "1,2", "a b  c", "", "-"])
    func remembered(id: String) {
        for removed in [nil, 0, 12] as [Int?] {
            let answer = WriteAnswer(id: id, token: token, removed: removed)
            #expect(WriteAnswer("\(answer)") == answer)
        }
    }

    @Test("is not read from what is none", arguments: ["", "7", "1-2 - ", "x-2 - 7", "1-2 x 7", "1-2 7"])
    func garbage(text: String) {
        if text == "1-2 - " {
            #expect(WriteAnswer(text)?.id == "")
        } else {
            #expect(WriteAnswer(text) == nil)
        }
    }

    @Test("has the token of what PostgreSQL says of the transaction")
    func tokens() {
        let row = ["4503599652133000", "4294967373", nil]
        #expect(WriteToken(StatementRows(rows: [row])) == token)
        #expect(WriteToken(StatementRows(rows: [[nil, "7", nil]])) == nil)
        #expect(WriteToken(StatementRows(rows: [["-1", "7", nil]])) == nil)
        #expect(WriteToken(StatementRows()) == nil)
    }
}
