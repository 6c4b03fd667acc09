import Capture
import Journal
import PGOutput
import Testing

@Suite("Snapshot encoder: copied rows to journal entries")
struct SnapshotEncoderTests {
    /// Lines with `|` for tabs.
    private func rows(_ lines: [String], columns: [String] = ["tenant_dbid", "dbid", "name"]) -> SnapshotRows {
        var bytes: [UInt8] = []
        var ranges: [Range<Int>] = []
        for line in lines {
            let start = bytes.count
            bytes += Array((line + "\n").utf8).map { $0 == UInt8(ascii: "|") ? UInt8(ascii: "\t") : $0 }
            ranges.append(start..<bytes.count)
        }
        return SnapshotRows(table: 0, columns: columns, bytes: bytes, rows: ranges)
    }

    private func lines(_ batches: [CaptureBatch]) throws -> [String] {
        var lines: [String] = []
        for batch in batches {
            try batch.entries?.forEachEntry { entry in
                let words = entry.strings.map { String(decoding: $0, as: UTF8.self) }
                lines.append("\(entry.id.first & (1 << 52 - 1))-\(entry.id.second) " + words.joined(separator: " "))
            }
        }
        return lines
    }

    @Test("announced, begun, rows just below the consistent point, ended at it")
    func snapshot() throws {
        var encoder = SnapshotEncoder(history: 1, catalog: EncoderBench.catalog, journaled: .zero)
        try encoder.announce(at: LSN(90))
        try encoder.begin(.whole, at: LSN(100), time: PostgresTimestamp(unixMicroseconds: 5))
        try encoder.encode(rows(["101|7|Ann", #"101|8|\N"#, #"101|9|a\tb\\c\nd"#, "101|10|"]))
        try encoder.end()
        let batches = encoder.takeBatches(all: true)
        #expect(
            try lines(batches) == [
                "90-1 op begin-snapshot mode due", "99-1 op begin-snapshot",
                #"99-2 op put tenant 101 type person key 7 data {"tenant_dbid":"101","dbid":"7","name":"Ann"}"#,
                #"99-3 op put tenant 101 type person key 8 data {"tenant_dbid":"101","dbid":"8","name":null}"#,
                #"99-4 op put tenant 101 type person key 9 data {"tenant_dbid":"101","dbid":"9","name":"a\tb\\c\nd"}"#,
                #"99-5 op put tenant 101 type person key 10 data {"tenant_dbid":"101","dbid":"10","name":""}"#,
                "99-6 op end-snapshot count 5 end 100 xid 0 time 5",
            ])
        #expect(batches.last?.position == Position(history: 1, lsn: 100))
        #expect(encoder.rowCount == 4)
    }

    @Test("a diff: announced as a run of its own that moves no position, rows and deletions below the consistent point")
    func diff() throws {
        var encoder = SnapshotEncoder(history: 1, catalog: EncoderBench.catalog, journaled: .zero)
        #expect(try encoder.announceDue(at: LSN(90)) == Position(history: 1, lsn: 90))
        let announced = encoder.takeBatches(all: true)
        #expect(
            try lines(announced) == [
                "90-1 op begin-snapshot mode due", "90-2 op end-snapshot count 1 end 90 xid 0 time 0",
            ])
        #expect(announced.allSatisfy { $0.position == nil && $0.transactions == 0 })
        try encoder.begin(.diff, at: LSN(100), time: PostgresTimestamp(unixMicroseconds: 5))
        try encoder.encode(rows(["101|7|Ann"]))
        encoder.encode(gone: [.init(tenant: "101", type: "person", key: "8")])
        try encoder.end()
        let batches = encoder.takeBatches(all: true)
        #expect(
            try lines(batches) == [
                "99-1 op begin-snapshot mode diff",
                #"99-2 op put tenant 101 type person key 7 data {"tenant_dbid":"101","dbid":"7","name":"Ann"}"#,
                "99-3 op delete tenant 101 type person key 8", "99-4 op end-snapshot count 3 end 100 xid 0 time 5",
            ])
        #expect(batches.last?.position == Position(history: 1, lsn: 100))
        #expect(encoder.rowCount == 1 && encoder.goneCount == 1)
    }

    @Test("an announcement that the journal already holds is not repeated")
    func announcedBefore() throws {
        let held = try #require(Position(history: 1, lsn: 90)).entryID(ordinal: 1)
        var encoder = SnapshotEncoder(history: 1, catalog: EncoderBench.catalog, journaled: held)
        try encoder.announce(at: LSN(90))
        #expect(encoder.takeBatches(all: true).isEmpty)
    }

    @Test("what is no row stops", arguments: ["101|7", "101|7|a|b", #"101|7|trailing\"#, #"101|7|\Nx"#])
    func refuses(line: String) throws {
        var encoder = SnapshotEncoder(history: 1, catalog: EncoderBench.catalog, journaled: .zero)
        try encoder.begin(.whole, at: LSN(100), time: PostgresTimestamp(unixMicroseconds: 5))
        #expect(throws: CaptureStop.self) { try encoder.encode(rows([line])) }
    }
}
