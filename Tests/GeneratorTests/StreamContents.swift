import Journal
import NIOCore
import NIOPosix
import RESP
import RedisClient
import ServerFixtures
import Traffic
import VoiceEvents

/// What a Redis holds of a journal.
struct StreamContents {
    /// Compares the journals of `ledger` that were born in `origin` with what `server` holds of them.
    static func check(_ ledger: Ledger, origin: String, on server: RedisServer) async throws -> LedgerCheck.Findings {
        let connection = try await RedisConnection.connect(
            to: RedisEndpoint(host: server.host, port: server.port, connectTimeout: .seconds(30)), name: "check",
            on: MultiThreadedEventLoopGroup.singleton.next())
        var findings = LedgerCheck.Findings()
        for (key, record) in ledger.journals where key.hasSuffix(":\(origin)") {
            var check = LedgerCheck(record, openRuns: ledger.openRuns)
            let reply = try await connection.send(RedisCommand("XRANGE", key, "-", "+"))
            for entry in reply.elements {
                guard let id = entry[0]?.string.flatMap({ EntryID($0) }), let list = entry[1] else { continue }
                let values = list.elements.map { $0.bytes ?? ByteBuffer() }
                guard values.count == 6 else { continue }
                let (event, key, data) = (Array(buffer: values[1]), Array(buffer: values[3]), Array(buffer: values[5]))
                let decoded = try VoiceEvent(event: event.span, key: key.span, data: data.span)
                let digest = PayloadDigest.voice(event: event.span, key: key.span, data: data.span)
                check.entryRead(id, EventIdentity(decoded), digest: digest)
            }
            findings += check.finish()
        }
        await connection.close()
        return findings
    }
}
