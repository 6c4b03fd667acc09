import PGOutput
import Testing

@Suite("LSN")
struct LSNTests {
    @Test("reads and writes PostgreSQL's text form", arguments: ["0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF", "0/A"])
    func text(_ text: String) {
        #expect(LSN(text)?.description == text)
    }

    @Test("reads lower case and leading zeros, as the server does")
    func lenient() {
        #expect(LSN("00000016/b374d848") == LSN(0x16_B374_D848))
    }

    @Test(
        "refuses what the server refuses",
        arguments: ["", "0", "/", "1/", "/1", "1/2/3", "123456789/0", "g/0", "-1/0"])
    func refuses(_ text: String) {
        #expect(LSN(text) == nil)
    }

    @Test("distance is in bytes and never negative")
    func distance() {
        #expect(LSN(300).bytes(since: LSN(100)) == 200)
        #expect(LSN(100).bytes(since: LSN(300)) == 0)
    }
}
