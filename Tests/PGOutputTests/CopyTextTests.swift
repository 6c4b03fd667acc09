import PGOutput
import Testing

@Suite("COPY text rows")
struct CopyTextTests {
    private func values(_ row: String) throws -> [String?] {
        var bytes = [UInt8](row.utf8)
        var decoder = CopyTextDecoder()
        try decoder.decode(&bytes, at: bytes.indices)
        return decoder.columns.map { column in
            guard case .text(let range) = column else { return nil }
            return String(decoding: bytes[range], as: UTF8.self)
        }
    }

    @Test("NULL, empty and a backslash before N are three things")
    func nulls() throws {
        #expect(try values("\\N\t\t\\\\N\tN\t\\N\n") == [nil, "", "\\N", "N", nil])
        #expect(try values("\n") == [""])
        #expect(try values("a") == ["a"])
        #expect(try values("\\N\t\n") == [nil, ""])
    }

    @Test("every escape that COPY writes is undone")
    func escapes() throws {
        #expect(try values("\\b\\t\\n\\v\\f\\r\\\\\tx\\ty\n") == ["\u{8}\t\n\u{B}\u{C}\r\\", "x\ty"])
    }

    @Test("what COPY never writes is an error at its place")
    func refuses() {
        #expect(throws: PGOutputError(.unknownEscape(UInt8(ascii: "q")), at: 2)) { try values("a\\q") }
        #expect(throws: PGOutputError(.unknownEscape(UInt8(ascii: "N")), at: 1)) { try values("\\Nx") }
        #expect(throws: PGOutputError(.truncated, at: 2)) { try values("a\\") }
        var bytes: [UInt8] = [1]
        var decoder = CopyTextDecoder()
        #expect(throws: PGOutputError(.truncated, at: 1)) { try decoder.decode(&bytes, at: 0..<2) }
    }
}
