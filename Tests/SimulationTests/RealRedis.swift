import Crypto
import Journal
import NIOCore
import NIOPosix
import Projection
import RESP
import RedisClient
import ServerFixtures
import Simulation
import Testing

/// A real server beside a simulated one: both get the same commands, and have to answer alike.
struct RealRedis {
    private let connection: RedisConnection

    static func with(_ body: (RealRedis) async throws -> Void) async throws {
        try await RedisServer.with { server in
            let connection = try await RedisConnection.connect(
                to: RedisEndpoint(host: server.host, port: server.port, connectTimeout: .seconds(30)),
                name: "simulation", on: MultiThreadedEventLoopGroup.singleton.any())
            let redis = RealRedis(connection: connection)
            for library in ProjectionFunctions.libraries {
                _ = try await connection.send(library.loadCommand) as RedisReply
            }
            try await body(redis)
            await connection.close()
        }
    }

    func run(_ command: RedisCommand) async throws -> Result<StoreReply, StoreFailure> {
        do {
            return .success(StoreReply(try await connection.send(command)))
        } catch RedisError.server(let code, let message) {
            return .failure(.server(code: code, message: message))
        }
    }

    func run(_ words: String...) async throws -> StoreReply {
        try await run(RedisCommand(words: words, runs: [])).get()
    }

    /// Everything that the server holds.
    func values() async throws -> [String: SimulatedRedis.Value] {
        var values: [String: SimulatedRedis.Value] = [:]
        for key in try await run("KEYS", "*").elements.compactMap(\.text) {
            switch try await run("TYPE", key).text {
            case "hash": values[key] = .hash(Dictionary(pairs: try await run("HGETALL", key)))
            case "set": values[key] = .set(Set(try await run("SMEMBERS", key).elements.compactMap(\.text)))
            case "stream":
                let info = Dictionary(pairs: try await run("XINFO", "STREAM", key))
                let entries = try await run("XRANGE", key, "-", "+").elements.map { entry in
                    SimulatedStream.Entry(
                        id: EntryID(entry.elements[0].text ?? "") ?? .zero,
                        fields: entry.elements[1].elements.compactMap(\.text))
                }
                values[key] = .stream(
                    SimulatedStream(
                        entries: entries, generated: EntryID(info["last-generated-id"] ?? "") ?? .zero,
                        added: UInt64(info["entries-added"] ?? "") ?? 0))
            default: values[key] = .string(try await run("GET", key).text ?? "")
            }
        }
        return values
    }
}

extension Dictionary where Key == String, Value == String {
    /// The pairs of a flat array; values that are arrays themselves are left out.
    fileprivate init(pairs reply: StoreReply) {
        let elements = reply.elements
        self.init()
        for index in stride(from: 0, to: elements.count - 1, by: 2) {
            guard let name = elements[index].text else { continue }
            if case .integer(let number) = elements[index + 1] { self[name] = "\(number)" }
            if let text = elements[index + 1].text { self[name] = text }
        }
    }
}

extension StoreReply {
    init(_ reply: RedisReply) {
        switch reply.kind {
        case .string, .status: self = .string(reply.bytes ?? ByteBuffer())
        case .integer: self = .integer(reply.integer ?? 0)
        case .array: self = .array(reply.elements.map { StoreReply($0) })
        case .null, .error: self = .null
        }
    }

    /// Comparable: what comes in no order is sorted, and where the model has contents a server has their hash.
    func normal(for command: [String], isModel: Bool) -> StoreReply {
        let places = ["rsj3_open": 10, "rsj3_lineage": 9]
        if isModel, command.count > 1, let place = places[command[1]], case .array(var elements) = self,
            elements.count > place, case .string(let content) = elements[place]
        {
            let hash = Insecure.SHA1.hash(data: Array(content.readableBytesView))
            elements[place] = .string(
                ByteBuffer(string: hash.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()))
            return .array(elements)
        }
        switch command[0] {
        case "SMEMBERS": return .array(elements.sorted { $0.text ?? "" < $1.text ?? "" })
        case "HGETALL":
            return .array(
                Dictionary(pairs: self).sorted { $0.key < $1.key }.map { .string(ByteBuffer(string: "\($0)")) })
        case "FCALL_RO" where command[1] == "rsp2_older":
            return .array(elements.sorted { $0.text ?? "" < $1.text ?? "" })
        default: return self
        }
    }
}
