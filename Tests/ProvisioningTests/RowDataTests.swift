import NIOCore
import Provisioning
import Testing

@Suite("Row data: what is written is read back, and nothing else is")
struct RowDataTests {
    @Test(
        "A row is written as JSON, escapes where they must be and nowhere else",
        arguments: [
            ([("dbid", "7")], #"{"dbid":"7"}"#),
            ([], "{}"),
            ([("name", nil), ("email", "")], #"{"name":null,"email":""}"#),
            ([("n", #"a "quoted" \ text"#)], #"{"n":"a \"quoted\" \\ text"}"#),
            ([("n", "tab\tline\nreturn\r\u{8}\u{c}\u{1}\u{1f}")], ##"{"n":"tab\tline\nreturn\r\b\f\u0001\u001f"}"##),
            ([("größe", "żółć 😀 \u{7f}")], "{\"größe\":\"żółć 😀 \u{7f}\"}"),
            ([(#"we"ird\"#, "1")], #"{"we\"ird\\":"1"}"#),
        ] as [([(String, String?)], String)])
    func written(row: [(String, String?)], json: String) throws {
        #expect(write(row) == json)
        #expect(try read(json).elementsEqual(row, by: ==))
    }

    @Test("Every byte at every offset of a word survives")
    func offsets() throws {
        for length in 0...20 {
            for offset in 0..<length {
                for byte in UInt8(1)...0x7f {
                    var text = [UInt8](repeating: UInt8(ascii: "x"), count: length)
                    text[offset] = byte
                    let row: [(String, String?)] = [("c", String(decoding: text, as: UTF8.self)), ("d", nil)]
                    #expect(try read(write(row)).elementsEqual(row, by: ==))
                }
            }
        }
    }

    @Test("Rows larger than the writer's memory, all escapes, grow it")
    func growth() throws {
        var writer = RowDataWriter(capacity: 64)
        let layout = RowLayout(columns: ["a", "b"])
        let value = [UInt8](repeating: 1, count: 10_000)
        for _ in 0..<2 {
            writer.begin()
            writer.append(0, of: layout, value.span.bytes)
            writer.append(1, of: layout, value.span.bytes)
            writer.finish()
            #expect(writer.byteCount == 120_000 + 15)
        }
        var buffer = ByteBuffer()
        writer.write(to: &buffer)
        #expect(buffer.readableBytes == writer.byteCount)
        #expect(try read(String(buffer: buffer)).map(\.1?.utf8.count) == [10_000, 10_000])
    }

    @Test("A patch leaves out columns in the middle or at the start")
    func patches() {
        var writer = RowDataWriter()
        let layout = RowLayout(columns: ["a", "b", "c"])
        writer.begin()
        writer.appendNull(1, of: layout)
        writer.append(2, of: layout, [UInt8]().span.bytes)
        writer.finish()
        #expect(text(of: writer) == #"{"b":null,"c":""}"#)
    }

    @Test(
        "Escapes and blanks that others write are understood",
        arguments: [
            (##"{"a":"\u0041\u00e9\u20ac\ud83d\ude00\/"}"##, "Aé€😀/"), (" {\t\"a\" :\n\"b\" \r} ", "b"),
            (##"{"\u0061":"x"}"##, "x"),
        ])
    func foreign(json: String, value: String) throws {
        #expect(try read(json).elementsEqual([("a", value)], by: ==))
    }

    @Test(
        "Anything else is refused with its place",
        arguments: [
            ("", .truncated, 0), ("{", .truncated, 1), ("[]", .expected(0x7b), 0), (#"{"a"}"#, .expected(0x3a), 4),
            (#"{"a":1}"#, .expectedTextOrNull, 5), (#"{"a":{}}"#, .expectedTextOrNull, 5),
            (#"{"a":nul}"#, .expectedTextOrNull, 5), (#"{"a":nul"#, .expectedTextOrNull, 5),
            (#"{"a":"b}"#, .truncated, 8), ("{\"a\":\"\n\"}", .controlCharacter, 6),
            (#"{"a":"\x"}"#, .invalidEscape, 6), (##"{"a":"\u12g4"}"##, .invalidEscape, 10),
            (##"{"a":"\ud83dx"}"##, .invalidEscape, 12), (##"{"a":"\ude00"}"##, .invalidEscape, 6),
            (##"{"a":"\ud83d\u0041"}"##, .invalidEscape, 12), (#"{"a":"b",}"#, .expected(0x22), 9),
            (#"{"a":"b"} x"#, .trailingBytes, 10), (#"{"a":"b" "c":"d"}"#, .expected(0x2c), 9),
        ] as [(String, RowDataError.Kind, Int)])
    func refused(json: String, kind: RowDataError.Kind, position: Int) {
        let error = #expect(throws: RowDataError.self) { try read(json) }
        #expect(error?.kind == kind)
        #expect(error?.position == position)
    }

    @Test("Cut at every length and flipped at every byte, a row is read or refused")
    func garbage() throws {
        let row = Array(##"{"dbid":"7","n":"a\u00e9\ud83d\ude00b","m":null,"long":"0123456789abcdef"}"##.utf8)
        for length in 0..<row.count {
            #expect(throws: RowDataError.self) { try columns(Array(row.prefix(length))) }
        }
        for index in row.indices {
            for bit in 0..<8 {
                var flipped = row
                flipped[index] ^= 1 << bit
                _ = try? columns(flipped)
            }
        }
    }

    private func write(_ row: [(String, String?)]) -> String {
        var writer = RowDataWriter(capacity: 1)
        let layout = RowLayout(columns: row.map(\.0))
        writer.begin()
        for (index, (_, value)) in row.enumerated() {
            if let value {
                writer.append(index, of: layout, Array(value.utf8).span.bytes)
            } else {
                writer.appendNull(index, of: layout)
            }
        }
        writer.finish()
        return text(of: writer)
    }

    private func text(of writer: borrowing RowDataWriter) -> String {
        writer.withBytes { bytes in bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
    }

    private func read(_ json: String) throws -> [(String, String?)] {
        try columns(Array(json.utf8))
    }

    @discardableResult
    private func columns(_ bytes: [UInt8]) throws -> [(String, String?)] {
        var reader = RowDataReader()
        var columns: [(String, String?)] = []
        while let column = try reader.next(in: bytes.span.bytes) {
            columns.append(
                (try column.name.string(from: bytes.span.bytes), try column.value?.string(from: bytes.span.bytes)))
        }
        return columns
    }
}
