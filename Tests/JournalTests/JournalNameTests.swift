import Journal
import Testing

@Suite("Names, IDs and positions")
struct JournalNameTests {
    @Test(
        "a journal's key reads back as the name",
        arguments: [
            JournalName.voice(tenant: "101", origin: "us-east"), .provisioning(origin: "eu-west"),
            .control(origin: "a"),
        ])
    func readsBack(_ name: JournalName) {
        #expect(JournalName(key: name.key) == name)
        #expect(name.metaKey == name.key + ":meta")
    }

    @Test("keys have the form that the design lays down")
    func form() {
        #expect(JournalName.voice(tenant: "101", origin: "us-east").key == "rs:{101}:voice:us-east")
        #expect(JournalName.provisioning(origin: "us-east").key == "rs:{_}:provisioning:us-east")
    }

    @Test(
        "other keys are no journals",
        arguments: [
            "", "rs:{1}:voice", "rs:{1}:voice:a:meta", "rs:{}:voice:a", "rs:{1}:chat:a", "cfg:{1}:person",
            "rs:{1:voice:a",
        ])
    func refuses(_ key: String) {
        #expect(JournalName(key: key) == nil)
    }

    @Test("entry IDs read what Redis prints and nothing else")
    func entryIDs() {
        #expect(EntryID("18446744073709551615-7") == EntryID(first: .max, second: 7))
        for text in ["", "-", "+", "5", "5-", "-5", "1-2-3", "18446744073709551616-0", "1-a", " 1-2", "$"] {
            #expect(EntryID(text) == nil, "\(text)")
        }
    }

    @Test("positions order by history first, then by LSN")
    func positions() throws {
        let old = try #require(Position(history: 1, lsn: 1 << 51))
        let new = try #require(Position(history: 2, lsn: 1))
        #expect(old < new)
        #expect(new.history == 2 && new.lsn == 1)
        #expect(Position(history: 4096, lsn: 0) == nil)
        #expect(Position(history: 1, lsn: 1 << 52) == nil)
        #expect(Position(new.description) == new)
    }
}
