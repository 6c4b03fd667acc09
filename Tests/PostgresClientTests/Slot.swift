import PGOutput
import PostgresClient

/// A table, its publication and its slot, all of one name, with a connection for SQL and one for the stream.
struct Slot {
    let name: String
    let sql: PostgresConnection
    private(set) var stream: PostgresConnection
    let created: PostgresConnection.CreatedSlot

    init(table: String, columns: String, settings: [String: String] = [:]) async throws {
        name = table
        sql = try await connect()
        stream = try await connect(isReplication: true) { $0.settings = settings }
        try await sql.query("CREATE TABLE \(table) (\(columns)); CREATE PUBLICATION \(table) FOR TABLE \(table)")
        created = try await stream.createSlot(table, exportsSnapshot: false, timeout: .seconds(60))
    }

    /// Logical messages of any test reach every stream that asks for them.
    func start(from lsn: LSN = .zero, messages: Bool = false) async throws {
        try await stream.startReplication(slot: name, from: lsn, publications: [name], messages: messages)
    }

    /// Ends the stream and begins another one. The server ends a second stream on one connection at once.
    mutating func reconnect(from lsn: LSN) async throws {
        try await stream.endReplication()
        await stream.close()
        stream = try await connect(isReplication: true)
        try await start(from: lsn)
    }

    /// Messages up to and with so many commits.
    func messages(untilCommits count: Int = 1) async throws -> [Received] {
        try await stream.messages(untilCommits: count)
    }

    func close() async throws {
        await stream.close()
        await sql.close()
    }
}

/// A message as a test reads it.
struct Received: Sendable {
    let message: PGOutputMessage
    let text: String
}

extension PostgresConnection {
    func messages(untilCommits count: Int = 1) async throws -> [Received] {
        var decoder = PGOutputDecoder()
        var received: [Received] = []
        var commits = 0
        while commits < count {
            let batch = try await receive(timeout: .seconds(60))
            if batch.isEmpty { throw PostgresError.timeout }
            for range in batch.messages {
                guard case .data(let data) = try ReplicationFrame(batch.bytes.span.bytes, at: range) else { continue }
                let message = try decoder.decode(batch.bytes.span.bytes, at: data.payload)
                if case .commit = message { commits += 1 }
                received.append(Received(message: message, text: describe(message, decoder.columns, batch.bytes)))
            }
        }
        return received
    }
}

func describe(_ message: PGOutputMessage, _ columns: [TupleColumn], _ bytes: [UInt8]) -> String {
    func tuple(_ range: Range<Int>) -> String {
        let values = columns[range].map { column in
            switch column {
            case .null: "null"
            case .unchanged: "unchanged"
            case .absent: "absent"
            case .text(let range): String(decoding: bytes[range], as: UTF8.self)
            }
        }
        return "[\(values.joined(separator: ","))]"
    }
    func old(_ tuple: OldTuple) -> (String, Range<Int>) {
        switch tuple {
        case .key(let range): ("key", range)
        case .full(let range): ("full", range)
        }
    }
    switch message {
    case .begin: return "begin"
    case .commit: return "commit"
    case .origin(let origin): return "origin \(origin.name)"
    case .relation(let relation):
        let names = relation.columns.map { $0.name + ($0.isKey ? "*" : "") }
        return "relation \(relation.namespace).\(relation.name)(\(names.joined(separator: ",")))"
    case .type(let type): return "type \(type.namespace).\(type.name)"
    case .insert(let insert): return "insert \(tuple(insert.new))"
    case .update(let update):
        let before = update.old.map(old).map { "\($0.0) \(tuple($0.1)) -> " } ?? ""
        return "update \(before)\(tuple(update.new))"
    case .delete(let delete):
        let (kind, range) = old(delete.old)
        return "delete \(kind) \(tuple(range))"
    case .truncate(let truncate): return "truncate \(truncate.relations.count)"
    case .message(let message):
        return "message \(String(decoding: bytes[message.prefix], as: UTF8.self)) "
            + String(decoding: bytes[message.content], as: UTF8.self)
    }
}
