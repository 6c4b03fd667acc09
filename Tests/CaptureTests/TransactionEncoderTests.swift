import Capture
import Journal
import PGOutput
import RegionConfig
import Testing

/// Feeds messages to an encoder and shows its entries as `ordinal op field=value …`.
struct EncoderBench: ~Copyable {
    static let catalog = Catalog(tables: [
        CatalogTable(
            table: TableName(schema: "provisioning", name: "person"), type: "person", key: ["dbid"],
            tenant: "tenant_dbid", omit: ["password_hash"]),
        CatalogTable(
            table: TableName(schema: "provisioning", name: "person_skill"), type: "person_skill",
            key: ["person_dbid", "skill_dbid"], tenant: "tenant_dbid"),
    ])
    static let person: UInt32 = 16_400
    static let personColumns = ["tenant_dbid", "dbid", "name", "notes"]

    var encoder: TransactionEncoder
    private var decoder = PGOutputDecoder()
    var batches: [CaptureBatch] = []

    init(journaled: EntryID = .zero, limits: BatchLimits = BatchLimits()) {
        encoder = TransactionEncoder(history: 1, catalog: Self.catalog, journaled: journaled, limits: limits)
    }

    var isIdle: Bool { encoder.isIdle }

    mutating func feed(_ messages: [UInt8]..., isCaughtUp: Bool = true) throws {
        for bytes in messages {
            let message = try decoder.decode(bytes.span.bytes, at: 0..<bytes.count)
            try encoder.encode(message, columns: decoder.columns, bytes: bytes.span.bytes, lsn: LSN(9))
            batches += encoder.takeBatches(isCaughtUp: false)
        }
        batches += encoder.takeBatches(isCaughtUp: isCaughtUp)
    }

    /// Begin, the person relation, the messages, Commit.
    mutating func transaction(_ lsn: UInt64, end: UInt64, _ messages: [UInt8]...) throws {
        try feed(WireBytes.begin(lsn), WireBytes.relation(Self.person, "person", Self.personColumns), isCaughtUp: false)
        for message in messages { try feed(message, isCaughtUp: false) }
        try feed(WireBytes.commit(lsn, end: end))
    }

    var entries: [String] {
        get throws {
            var lines: [String] = []
            for batch in batches {
                try batch.entries?.forEachEntry { entry in
                    let words = entry.strings.map { String(decoding: $0, as: UTF8.self) }
                    var line = "\(entry.id.first & (1 << 52 - 1))-\(entry.id.second) \(words[1])"
                    for index in stride(from: 2, to: words.count, by: 2) {
                        line += " \(words[index])=\(words[index + 1])"
                    }
                    lines.append(line)
                }
            }
            return lines
        }
    }
}

@Suite("Transaction encoder: pgoutput messages to journal entries")
struct TransactionEncoderTests {
    private let person = EncoderBench.person

    @Test("a transaction: rows under the commit's position, closed with count, end, xid, time")
    func wholeTransaction() throws {
        var bench = EncoderBench()
        try bench.transaction(
            100, end: 140,
            WireBytes.insert(person, ["101", "7", "Ann", nil]), WireBytes.update(person, ["101", "8", "Bob", "x"]),
            WireBytes.delete(person, ["101", "9", nil, nil]))
        #expect(
            try bench.entries == [
                #"100-1 insert tenant=101 type=person key=7 data={"tenant_dbid":"101","dbid":"7","name":"Ann","notes":null}"#,
                #"100-2 put tenant=101 type=person key=8 data={"tenant_dbid":"101","dbid":"8","name":"Bob","notes":"x"}"#,
                "100-3 delete tenant=101 type=person key=9",
                "100-4 commit count=3 end=140 xid=700 time=946684800001000",
            ])
        #expect(bench.batches.count == 1)
        #expect(bench.batches[0].position == Position(history: 1, lsn: 140))
        #expect(bench.encoder.completed == LSN(140))
        #expect(bench.isIdle == true)
    }

    @Test(
        "text is escaped by JSON's rule",
        arguments: [
            ("a\"b\\c", #"a\"b\\c"#), ("tab\tline\nend\r", #"tab\tline\nend\r"#), ("\u{1}\u{1f}", #"\u0001\u001f"#),
            ("Zoë 日本 0123456789", "Zoë 日本 0123456789"), ("0123456789\"", #"0123456789\""#), ("", ""),
            ("01234567\u{7f}89", "01234567\u{7f}89"), ("1234567\u{8}", #"1234567\b"#),
        ])
    func escapes(text: String, json: String) throws {
        var bench = EncoderBench()
        try bench.transaction(100, end: 140, WireBytes.insert(person, ["101", "7", .text(text), nil]))
        let data = #"data={"tenant_dbid":"101","dbid":"7","name":"\#(json)","notes":null}"#
        #expect(try bench.entries.first == "100-1 insert tenant=101 type=person key=7 " + data)
    }

    @Test("columns left out never reach the journal")
    func omits() throws {
        var bench = EncoderBench()
        try bench.feed(
            WireBytes.begin(100), WireBytes.relation(person, "person", ["password_hash", "tenant_dbid", "dbid"]),
            WireBytes.insert(person, ["secret", "101", "7"]), WireBytes.commit(100, end: 140))
        #expect(
            try bench.entries.first
                == #"100-1 insert tenant=101 type=person key=7 data={"tenant_dbid":"101","dbid":"7"}"#)
    }

    @Test("an unchanged TOAST value makes a patch without it")
    func unchangedMakesPatch() throws {
        var bench = EncoderBench()
        try bench.transaction(100, end: 140, WireBytes.update(person, ["101", "7", "Ann", .unchanged]))
        #expect(
            try bench.entries.first
                == #"100-1 patch tenant=101 type=person key=7 data={"tenant_dbid":"101","dbid":"7","name":"Ann"}"#)
    }

    @Test("with the whole old row at hand an unchanged value is taken from there")
    func fullIdentityFillsIn() throws {
        var bench = EncoderBench()
        try bench.transaction(
            100, end: 140,
            WireBytes.update(person, old: ("O", ["101", "7", "Al", "long"]), ["101", "7", "Ann", .unchanged]))
        #expect(
            try bench.entries.first
                == #"100-1 put tenant=101 type=person key=7 data={"tenant_dbid":"101","dbid":"7","name":"Ann","notes":"long"}"#
        )
    }

    @Test("a key change deletes the old object and puts the new one; so does a change of tenant")
    func keyChange() throws {
        var bench = EncoderBench()
        try bench.transaction(
            100, end: 140,
            WireBytes.update(person, old: ("K", ["101", "7", nil, nil]), ["101", "70", "Ann", nil]),
            WireBytes.update(person, old: ("K", ["101", "8", nil, nil]), ["102", "8", "Bob", nil]))
        #expect(
            try bench.entries == [
                "100-1 delete tenant=101 type=person key=7",
                #"100-2 put tenant=101 type=person key=70 data={"tenant_dbid":"101","dbid":"70","name":"Ann","notes":null}"#,
                "100-3 delete tenant=101 type=person key=8",
                #"100-4 put tenant=102 type=person key=8 data={"tenant_dbid":"102","dbid":"8","name":"Bob","notes":null}"#,
                "100-5 commit count=4 end=140 xid=700 time=946684800001000",
            ])
    }

    @Test("a key change of a row with unchanged values names the object that has them, before it is deleted")
    func keyChangeWithUnchanged() throws {
        var bench = EncoderBench()
        try bench.transaction(
            100, end: 140,
            WireBytes.update(person, old: ("K", ["101", "7", nil, nil]), ["101", "70", "Ann", .unchanged]))
        let data = #"data={"tenant_dbid":"101","dbid":"70","name":"Ann"}"#
        #expect(
            try bench.entries.prefix(2) == [
                "100-1 patch tenant=101 type=person key=70 \(data) fromTenant=101 fromKey=7",
                "100-2 delete tenant=101 type=person key=7",
            ])
    }

    @Test("a key of several columns is written by the rule of object keys")
    func compositeKey() throws {
        var bench = EncoderBench()
        let columns = ["person_dbid", "skill_dbid", "level", "tenant_dbid"]
        try bench.feed(
            WireBytes.begin(100),
            WireBytes.relation(5, "person_skill", columns, key: ["tenant_dbid", "person_dbid", "skill_dbid"]),
            WireBytes.delete(5, ["7", "13", nil, "101"]), WireBytes.commit(100, end: 140))
        #expect(try bench.entries.first == "100-1 delete tenant=101 type=person_skill key=7,13")
    }

    @Test("TRUNCATE makes an entry for each type of the catalog")
    func truncates() throws {
        var bench = EncoderBench()
        try bench.transaction(
            100, end: 140,
            WireBytes.relation(
                5, "person_skill", ["tenant_dbid", "person_dbid", "skill_dbid"],
                key: ["tenant_dbid", "person_dbid", "skill_dbid"]),
            WireBytes.relation(6, "unknown", ["id"]), WireBytes.truncate([person, 6, 5]))
        #expect(
            try bench.entries == [
                "100-1 truncate type=person", "100-3 truncate type=person_skill",
                "100-4 commit count=2 end=140 xid=700 time=946684800001000",
            ])
    }

    @Test("a column added, dropped or renamed in mid-stream shows in the next row")
    func schemaChange() throws {
        var bench = EncoderBench()
        try bench.transaction(
            100, end: 140, WireBytes.insert(person, ["101", "7", "Ann", nil]),
            WireBytes.relation(person, "person", ["tenant_dbid", "dbid", "full_name"]),
            WireBytes.insert(person, ["101", "8", "Bob"]))
        #expect(
            try bench.entries[1]
                == #"100-2 insert tenant=101 type=person key=8 data={"tenant_dbid":"101","dbid":"8","full_name":"Bob"}"#
        )
    }

    @Test("tables beside the catalog and logical messages are counted and left out")
    func leavesOut() throws {
        var bench = EncoderBench()
        try bench.feed(
            WireBytes.begin(100), WireBytes.relation(6, "other", ["id"]), WireBytes.insert(6, ["1"]),
            WireBytes.commit(100, end: 140))
        #expect(try bench.entries.isEmpty)
        #expect(bench.encoder.counts.uncatalogued == 1)
        #expect(bench.encoder.completed == LSN(140))
        try bench.feed(WireBytes.logical(transactional: false))
        #expect(bench.encoder.counts.messages == 1)
    }

    @Test("a transaction of nothing but a logical message is closed all the same: somebody waits for its xid")
    func messageOnly() throws {
        var bench = EncoderBench()
        try bench.feed(
            WireBytes.begin(100), WireBytes.logical(transactional: true), WireBytes.commit(100, end: 140))
        #expect(try bench.entries == ["100-1 commit count=0 end=140 xid=700 time=946684800001000"])
    }

    @Test("small transactions share a batch")
    func joinsTransactions() throws {
        var bench = EncoderBench()
        for lsn in stride(from: UInt64(100), to: 400, by: 100) {
            try bench.feed(
                WireBytes.begin(lsn), WireBytes.relation(person, "person", EncoderBench.personColumns),
                WireBytes.insert(person, ["101", "7", "Ann", nil]), WireBytes.commit(lsn, end: lsn + 40),
                isCaughtUp: lsn == 300)
        }
        #expect(bench.batches.map(\.transactions) == [3])
        #expect(bench.batches[0].position == Position(history: 1, lsn: 340))
    }

    @Test("a large transaction is cut as it arrives; the position moves with its end only")
    func cutsLargeTransactions() throws {
        var bench = EncoderBench(limits: BatchLimits(entries: 10))
        try bench.feed(WireBytes.begin(100), WireBytes.relation(person, "person", EncoderBench.personColumns))
        for number in 1...25 {
            try bench.feed(WireBytes.insert(person, ["101", .text("\(number)"), "Ann", nil]))
        }
        #expect(bench.batches.map { $0.entries?.count } == [10, 10])
        #expect(bench.batches.allSatisfy { $0.position == nil })
        #expect(bench.isIdle == false)
        try bench.feed(WireBytes.commit(100, end: 140))
        #expect(bench.batches.map { $0.entries?.count } == [10, 10, 6])
        #expect(bench.batches.last?.position == Position(history: 1, lsn: 140))
        #expect(bench.batches[2].previous == bench.batches[1].last)
    }

    @Test("what the journal already holds is passed over, to the entry", arguments: 1...5)
    func resumesWithinTransaction(held: UInt64) throws {
        let position = try #require(Position(history: 1, lsn: 200))
        var bench = EncoderBench(journaled: position.entryID(ordinal: held))
        let rows = (1...4).map { WireBytes.insert(person, ["101", .text("\($0)"), "Ann", nil]) }
        try bench.transaction(100, end: 140, rows[0], rows[1])
        try bench.transaction(200, end: 240, rows[0], rows[1], rows[2], rows[3])
        let ids = try bench.entries.map { String($0.prefix(5)) }
        #expect(ids == (held + 1..<6).map { "200-\($0)" })
        if held < 5 {
            #expect(try bench.entries.last == "200-5 commit count=4 end=240 xid=700 time=946684800001000")
            #expect(bench.batches.first?.previous == position.entryID(ordinal: held))
        }
    }

    @Test("what cannot be encoded stops by name, and stays stopped")
    func stops() throws {
        var bench = EncoderBench()
        #expect(throws: CaptureStop.undecodable(lsn: LSN(9), what: "unknown relation 4")) {
            try bench.feed(WireBytes.begin(100), WireBytes.insert(4, ["1"]))
        }
        #expect(throws: CaptureStop.self) { try bench.feed(WireBytes.commit(100, end: 140)) }
        var wide = EncoderBench()
        #expect(throws: CaptureStop.self) { try wide.transaction(100, end: 140, WireBytes.insert(person, ["101"])) }
        var unnamed = EncoderBench()
        let row = WireBytes.insert(person, [nil, "7", "Ann", nil])
        #expect(
            throws: CaptureStop.unnamedRow(
                TableName(schema: "provisioning", name: "person"), column: "tenant_dbid",
                position: try #require(Position(history: 1, lsn: 100)))
        ) { try unnamed.transaction(100, end: 140, row) }
    }

    @Test("a replica identity that hides the tenant stops as soon as the table is seen")
    func replicaIdentity() throws {
        var bench = EncoderBench()
        let table = TableName(schema: "provisioning", name: "person")
        #expect(throws: CaptureStop.replicaIdentity(table, columns: ["tenant_dbid"])) {
            try bench.feed(
                WireBytes.begin(100),
                WireBytes.relation(person, "person", EncoderBench.personColumns, key: ["dbid"], identity: "d"))
        }
        var renamed = EncoderBench()
        #expect(throws: CaptureStop.columnMissing(table, column: "dbid")) {
            try renamed.feed(WireBytes.begin(100), WireBytes.relation(person, "person", ["tenant_dbid", "id"]))
        }
    }
}
