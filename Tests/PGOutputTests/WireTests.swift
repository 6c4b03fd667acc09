import PGOutput
import Testing

@Suite("Replication frames")
struct WireTests {
    @Test("a status update is the 34 bytes of the protocol")
    func statusUpdate() {
        let update = StatusUpdate(
            written: LSN(0x0102_0304_0506_0708), flushed: LSN(2), applied: LSN(3),
            sentAt: PostgresTimestamp(microseconds: -1), isReplyRequested: true)
        #expect(
            update.encoded
                == [0x72, 1, 2, 3, 4, 5, 6, 7, 8] + [0, 0, 0, 0, 0, 0, 0, 2] + [0, 0, 0, 0, 0, 0, 0, 3]
                + [UInt8](repeating: 0xFF, count: 8) + [1])
    }

    @Test("a keepalive says how far the server is and whether it waits for a word")
    func keepalive() throws {
        let bytes: [UInt8] = [0x6B, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5, 1]
        guard case .keepalive(let keepalive) = try ReplicationFrame(bytes.span.bytes, at: bytes.indices) else {
            Issue.record("no keepalive")
            return
        }
        #expect(keepalive.walEnd == LSN("1/2"))
        #expect(keepalive.sentAt.microseconds == 5)
        #expect(keepalive.isReplyRequested)
    }

    @Test("timestamps count from 2000 and clamp instead of overflowing")
    func timestamps() {
        #expect(PostgresTimestamp(microseconds: 0).unixMicroseconds == 946_684_800_000_000)
        #expect(PostgresTimestamp(unixMicroseconds: 946_684_800_000_001).microseconds == 1)
        #expect(PostgresTimestamp(microseconds: .max).unixMicroseconds == .max)
        #expect(PostgresTimestamp(unixMicroseconds: .min).microseconds == .min)
    }
}
