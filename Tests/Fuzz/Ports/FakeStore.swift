import ConfigListener
import NIOCore
import Projection
import RESP

/// A Redis that answers what it might, whatever is in it.
struct FakeStore: CacheSession {
    let temper: Temper

    var serverRun: String { "run1" }

    func heard() async throws(StoreFailure) {}

    func ended() async -> StoreFailure {
        while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
        return .unreachable("it is over")
    }

    func send(_ commands: [RedisCommand]) async -> SentCommands {
        var answers: [Result<StoreReply, StoreFailure>] = []
        var transaction: [StoreReply]?
        for command in commands {
            let request = Self.request(command)
            if request.isKeyword(0, "MULTI") {
                transaction = []
                answers.append(.success(.text("OK")))
            } else if request.isKeyword(0, "EXEC") {
                answers.append(.success(.array(transaction ?? [])))
                transaction = nil
            } else if transaction != nil {
                // Inside a transaction an error is an element, which reads as null.
                transaction?.append((try? answer(request).get()) ?? .null)
                answers.append(.success(.text("QUEUED")))
            } else {
                answers.append(answer(request))
            }
        }
        let all = answers
        return SentCommands { all }
    }

    private static func request(_ command: RedisCommand) -> Request {
        var decoder = RequestDecoder(
            limits: RequestLimits(elements: .max, bulkBytes: .max / 4, queryBytes: .max / 4, isAuthenticated: true))
        var bytes = command.head
        for run in command.runs { bytes.writeImmutableBuffer(run.buffer) }
        decoder.feed(bytes)
        guard let request = try? decoder.next(), decoder.pendingBytes == 0 else {
            preconditionFailure("what is sent is no command")
        }
        return request
    }

    private func answer(_ request: Request) -> Result<StoreReply, StoreFailure> {
        let words = (0..<request.count).map { request.text($0) ?? "" }
        switch temper.die(for: words.joined(separator: " ").utf8) {
        case 0: return .failure(.server(code: "ERR", message: "no such key '\(words.last ?? "")'"))
        case 1: return .failure(.server(code: "WRONGTYPE", message: "Operation against a key\r\nof the wrong kind"))
        case 2: return .failure(.unreachable("cut"))
        case 3: return .success(.null)
        case 4: return .success(.array([.integer(.min), .array([.null]), Self.noText]))
        case 5: return .success(.integer(.max))
        default: return .success(Self.usual(words))
        }
    }

    private static let noText = StoreReply.string(ByteBuffer(bytes: [0xff, 0x0d, 0x0a]))

    // MARK: What a server would say

    private static let entry = StoreReply.array([
        .text("7-1"), .texts(["event", "EventRinging", "key", "c1", "data", #"{"ThisDN":"7001","ConnID":"c1"}"#]),
    ])

    private static func usual(_ words: [String]) -> StoreReply {
        switch words.first?.uppercased() {
        case "HGETALL": .texts(["dbid", "7", "name", "x", "_v", "4503599627370597", "_d", "9", "party:7001", "12"])
        case "HMGET": .array(words.dropFirst(2).map { field($0) })
        case "HGET": words.count > 2 ? field(words[2]) : .null
        case "SMEMBERS": .texts(words.last == "rs:{_}:tenants" ? ["101", "109", "x"] : ["7", "12", "c1", ""])
        case "SRANDMEMBER": .texts(["7", "12", "c1", ""])
        case "SSCAN": .array([.text("17"), .texts(["2", "10", "x"])])
        case "XADD": .text("7-1")
        case "FCALL" where words.contains("rsv2_append"): .text("7-1")
        case "XRANGE", "XREVRANGE", "XCLAIM": .array([entry, entry])
        case "XAUTOCLAIM": .array([.text("0-0"), .array([entry]), .array([.text("1-1")])])
        case "XREAD", "XREADGROUP": streams(words)
        case "XINFO": facts(words)
        case "XPENDING":
            words.count == 3
                ? .array([.integer(1), .text("1-1"), .text("2-2"), .array([.texts(["anna", "1"])])])
                : .array([.array([.text("1-1"), .text("anna"), .integer(5), .integer(1)])])
        case "XGROUP", "CLIENT": .text("OK")
        case "FUNCTION": .text("library")
        default: .integer(1)
        }
    }

    /// A field of a hash. `applying` is not there: a transaction that is half there is waited for.
    private static func field(_ name: String) -> StoreReply {
        switch name {
        case "provisioning": .text("4503599627370600")
        case "applying": .null
        case "floor": .text("3-0")
        case "birth": .text("b1")
        default: .text("7")
        }
    }

    private static func streams(_ words: [String]) -> StoreReply {
        guard let start = words.firstIndex(of: "STREAMS") else { return .null }
        let names = words[(start + 1)...]
        return .array(names.prefix(names.count / 2).map { .array([.text($0), .array([entry])]) })
    }

    private static func facts(_ words: [String]) -> StoreReply {
        let stream: [StoreReply] = [
            .text("length"), .integer(1), .text("last-generated-id"), .text("9-1"), .text("first-entry"), entry,
            .text("groups"), .integer(1),
        ]
        let isOfStream = words.dropFirst().first?.uppercased() == "STREAM"
        return isOfStream
            ? .array(stream)
            : .array([.array([.text("name"), .text("own"), .text("pending"), .integer(1), .text("idle"), .integer(5)])])
    }
}

extension StoreReply {
    fileprivate static func text(_ text: String) -> StoreReply { .string(ByteBuffer(string: text)) }

    fileprivate static func texts(_ texts: [String]) -> StoreReply { .array(texts.map { text($0) }) }
}
