internal import NIOCore
internal import RESP
internal import VoiceEvents

/// What `XADD voice:<tenant> * [ONCE <key>] event <name> key <key> data <JSON> [<field> <value> …]` asks to be appended.
struct AppendedEvent {
    /// Bytes that `data`, or another field, may have.
    static let valueBytes = 64 << 10
    /// Bytes that the event's `key`, and the name of a field, may have.
    static let keyBytes = 256
    /// Fields besides `event`, `key` and `data`.
    static let furtherFields = 16

    let stream: VoiceStream
    /// The key under which it is appended once.
    let once: String?
    /// All fields and their values, as they came.
    let words: BulkStrings

    init(_ request: Request) throws(ReplyError) {
        guard let name = request.validText(1), let stream = VoiceStream(name) else {
            throw ReplyError("no such stream: expected voice:<tenant>")
        }
        guard request.text(2) == "*" else {
            throw ReplyError("expected * behind the stream: IDs are Redis' own, and trimming is the worker's")
        }
        let isOnce = request.isKeyword(3, "ONCE")
        let first = isOnce ? 5 : 3
        let once = try isOnce ? RequestWords.onceKey(request, 4) : nil
        guard request.count >= first, (request.count - first).isMultiple(of: 2) else {
            throw ReplyError("wrong number of arguments for 'xadd' command")
        }
        var found: Set<String> = []
        var words = BulkStrings(capacity: request.byteCount + 64)
        for index in stride(from: first, to: request.count, by: 2) {
            // Stored as a field it would not do what it is meant for.
            guard !request.isKeyword(index, "ONCE") else { throw ReplyError("ONCE: expected directly behind *") }
            let field = request.text(index) ?? ""
            let value = request[index + 1] ?? ByteBuffer()
            if Self.isOurs(field) {
                guard found.insert(field).inserted else { throw ReplyError("\(field): given twice") }
                try Self.check(value, of: field)
            }
            guard field.utf8.count <= Self.keyBytes, value.readableBytes <= Self.valueBytes else {
                throw ReplyError(
                    code: "LIMIT",
                    message: "a field may have \(Self.valueBytes) bytes at most, its name \(Self.keyBytes)")
            }
            request.withBytes(index) { words.append($0) }
            words.append(value)
        }
        for field in ["event", "key", "data"] where !found.contains(field) {
            throw ReplyError("\(field): missing; expected event, key and data")
        }
        guard words.count / 2 - found.count <= Self.furtherFields else {
            throw ReplyError(
                code: "LIMIT", message: "an event may have \(Self.furtherFields) fields besides its own at most")
        }
        self.stream = stream
        self.once = once
        self.words = words
    }

    private static func isOurs(_ field: String) -> Bool { field == "event" || field == "key" || field == "data" }

    private static func check(_ value: ByteBuffer, of field: String) throws(ReplyError) {
        let bytes = Array(value.readableBytesView)
        switch field {
        case "event":
            guard EventName(bytes.span) != nil else { throw ReplyError("event: no event of this name is known") }
        case "key":
            guard !bytes.isEmpty, bytes.count <= keyBytes, String(validating: bytes, as: UTF8.self) != nil else {
                throw ReplyError("key: expected 1 to \(keyBytes) bytes of UTF-8")
            }
        default:
            guard bytes.count <= valueBytes else {
                throw ReplyError(code: "LIMIT", message: "data: \(valueBytes) bytes at most")
            }
            do throws(VoiceEventError) {
                try JSONObject.check(bytes.span)
            } catch {
                throw ReplyError("data: expected a JSON object of at most 32 levels")
            }
        }
    }
}
