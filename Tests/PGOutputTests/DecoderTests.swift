import PGOutput
import Testing

@Suite("pgoutput on captured bytes")
struct DecoderTests {
    @Test("the corpus holds every kind of message")
    func corpus() {
        #expect(
            Set(Corpus.names)
                .isSuperset(of: [
                    "begin", "commit", "insert", "keepalive", "message", "message-standalone", "origin", "relation",
                    "truncate", "type", "update", "update-full", "update-key", "delete-key", "delete-full",
                ]))
    }

    @Test("decodes whole", arguments: Corpus.names)
    func decodes(_ name: String) throws {
        _ = try decode(Corpus.bytes(name))
    }

    @Test("cut anywhere: an error, no trap", arguments: Corpus.names)
    func cut(_ name: String) {
        let bytes = Corpus.bytes(name)
        for length in 0..<bytes.count {
            #expect(throws: PGOutputError.self, "\(length) of \(bytes.count) bytes") {
                try decode(Array(bytes[..<length]))
            }
            // The same inside a larger buffer: what follows must not be read.
            #expect(throws: PGOutputError.self) { try decode(bytes, at: 0..<length) }
        }
        #expect(throws: PGOutputError.self) { try decode(bytes + [0]) }
    }

    @Test("any byte changed to anything: a value or an error, no trap", arguments: Corpus.names)
    func changed(_ name: String) {
        let original = Corpus.bytes(name)
        for index in original.indices {
            for value in [0, 1, 0x7F, 0x80, 0xFF, original[index] ^ 0x20, original[index] &+ 1] as [UInt8] {
                var bytes = original
                bytes[index] = value
                _ = try? decode(bytes)
            }
        }
    }

    @Test("an unknown tag is an error that names the tag and its place")
    func unknownTags() {
        func expect(_ name: String, _ offset: Int, _ reason: (UInt8) -> PGOutputError.Reason) {
            var bytes = Corpus.bytes(name)
            bytes[offset] = UInt8(ascii: "?")
            #expect(throws: PGOutputError(reason(UInt8(ascii: "?")), at: offset)) { try decode(bytes) }
        }
        let header = 25  // of XLogData
        expect("insert", 0) { .unknownMessage($0) }
        expect("insert", header) { .unknownMessage($0) }
        expect("insert", header + 5) { .unknownTuple($0) }
        expect("insert", header + 8) { .unknownColumn($0) }
        expect("update-key", header + 5) { .unknownTuple($0) }
        expect("delete-full", header + 5) { .unknownTuple($0) }
        let relation = Corpus.bytes("relation")
        if let name = relation[(header + 5)...].firstIndex(of: 0),
            let identity = relation[(name + 1)...].firstIndex(of: 0)
        {
            expect("relation", identity + 1) { .unknownReplicaIdentity($0) }
        }
    }

    @Test("lengths that lie are refused before anything is taken")
    func lengths() {
        var bytes = Corpus.bytes("insert")
        bytes.replaceSubrange(34..<38, with: [0x7F, 0xFF, 0xFF, 0xFF])
        #expect(throws: PGOutputError(.truncated, at: 38)) { try decode(bytes) }
        bytes.replaceSubrange(34..<38, with: [0xFF, 0xFF, 0xFF, 0xFF])
        #expect(throws: PGOutputError(.negativeLength, at: 34)) { try decode(bytes) }
        #expect(throws: PGOutputError(.truncated, at: bytes.count)) { try decode(bytes, at: 0..<bytes.count + 1) }
        #expect(throws: PGOutputError(.truncated, at: bytes.count)) { try decode(bytes, at: -1..<4) }
    }

    @Test("a transaction's ends agree")
    func transaction() throws {
        guard case .begin(let begin) = try decode(Corpus.bytes("begin")).0,
            case .commit(let commit) = try decode(Corpus.bytes("commit")).0
        else {
            Issue.record("other messages")
            return
        }
        #expect(begin.finalLSN == commit.commitLSN)
        #expect(commit.endLSN > commit.commitLSN)
        #expect(begin.committedAt == commit.committedAt)
        #expect(begin.xid > 2)
        // Captured after 2024 and before 2100.
        #expect((1_704_067_200_000_000..<4_102_444_800_000_000).contains(commit.committedAt.unixMicroseconds))
    }

    @Test("a key tuple's missing columns are absent, a full one's are NULL")
    func absent() throws {
        guard case (.delete(let key), let keyColumns) = try decode(Corpus.bytes("delete-key")),
            case .key(let keyRange) = key.old,
            case (.delete(let full), let fullColumns) = try decode(Corpus.bytes("delete-full")),
            case .full(let fullRange) = full.old
        else {
            Issue.record("other messages")
            return
        }
        #expect(keyColumns[keyRange].contains(.absent))
        #expect(!keyColumns[keyRange].contains(.null))
        #expect(fullColumns[fullRange].contains(.null))
        #expect(!fullColumns[fullRange].contains(.absent))
    }

    @Test("relations and types carry no LSN")
    func zeroLSN() throws {
        for name in ["relation", "type"] {
            let bytes = Corpus.bytes(name)
            guard case .data(let data) = try ReplicationFrame(bytes.span.bytes, at: bytes.indices) else { continue }
            #expect(data.start == .zero)
        }
    }
}
