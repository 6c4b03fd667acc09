import Glibc
import Journal
import NIOCore
import Projection
import RESP
import Synchronization

/// A connection to a Redis server that blocks its thread: enough to look at state and to run engines without a client.
final class PlainRedis: ProjectionStore, JournalTail {
    struct Failed: Error { let message: String }

    private let descriptor: Int32
    private let lock = Mutex(0)

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr = in_addr(s_addr: UInt32(0x7f00_0001).bigEndian)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failed(message: "connect: \(errno)") }
    }

    deinit { Glibc.close(descriptor) }

    /// Runs one command; an error reply is thrown.
    @discardableResult
    func callAsFunction(_ words: String...) throws -> StoreReply { try call(words) }

    @discardableResult
    func call(_ words: [String]) throws -> StoreReply { try call(RedisCommand(words: words, runs: [])) }

    @discardableResult
    func call(_ command: RedisCommand) throws -> StoreReply {
        switch send([command])[0] {
        case .success(let reply): return reply
        case .failure(let failure): throw failure
        }
    }

    /// Loads everything that the projection calls, unless it is there.
    func loadFunctions() throws {
        guard try self("FUNCTION", "LIST").elements.isEmpty else { return }
        for library in ProjectionFunctions.libraries { try call(library.loadCommand) }
    }

    /// The fields of a hash, sorted; empty when there is none.
    func hash(_ key: String) throws -> [String: String] {
        let words = try self("HGETALL", key).elements.compactMap(\.text)
        return Dictionary(
            uniqueKeysWithValues: stride(from: 0, to: words.count, by: 2).map { (words[$0], words[$0 + 1]) })
    }

    func members(_ key: String) throws -> Set<String> {
        Set(try self("SMEMBERS", key).elements.compactMap(\.text))
    }

    // MARK: Ports

    func send(_ commands: [RedisCommand]) async -> SentCommands {
        let results: [Result<StoreReply, StoreFailure>] = send(commands)
        return SentCommands { results }
    }

    func read(behind cursors: [JournalCursor], patience: Duration) async throws(StoreFailure) -> [JournalRead] {
        guard !cursors.isEmpty else { return [] }
        let words =
            ["XREAD", "COUNT", "500", "STREAMS"] + cursors.map(\.journal.key) + cursors.map(\.last.description)
        let reply = try send([RedisCommand(words: words, runs: [])])[0].get()
        if reply.elements.isEmpty, patience > .zero { try? await Task.sleep(for: .milliseconds(2)) }
        return reply.elements.compactMap { stream in
            guard let key = stream.elements[0].text, let journal = JournalName(key: key),
                let cursor = cursors.first(where: { $0.journal == journal })
            else { return nil }
            var builder = EntryBatchBuilder(previous: cursor.last)
            for entry in stream.elements[1].elements {
                guard let id = entry.elements[0].text.flatMap({ EntryID($0) }) else { return nil }
                let fields = entry.elements[1].elements
                builder.append(id: id, fields: fields.count / 2) { strings in
                    for case .string(let bytes) in fields { strings.append(bytes) }
                }
            }
            return builder.batch().map { JournalRead(journal, $0) }
        }
    }

    func close() async {}

    // MARK: Wire

    private func send(_ commands: [RedisCommand]) -> [Result<StoreReply, StoreFailure>] {
        lock.withLock { _ in
            var bytes: [UInt8] = []
            for command in commands {
                bytes.append(contentsOf: command.head.readableBytesView)
                for run in command.runs { bytes.append(contentsOf: run.buffer.readableBytesView) }
            }
            var results: [Result<StoreReply, StoreFailure>] = []
            var reader = Reader(descriptor: descriptor)
            // Answers are read while commands are written, or both sides could wait for each other.
            var sent = 0
            while results.count < commands.count {
                while sent < bytes.count {
                    let count = bytes[sent...].withUnsafeBytes {
                        Glibc.send(
                            descriptor, $0.baseAddress, min($0.count, 1 << 16),
                            Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                    }
                    if count > 0 {
                        sent += count
                    } else if errno == EAGAIN {
                        reader.fill()
                    } else if errno != EINTR {
                        break
                    }
                    if reader.failed { break }
                }
                guard let result = reader.result() else {
                    results.append(.failure(.unreachable("gone")))
                    continue
                }
                results.append(result)
            }
            return results
        }
    }

    private struct Reader {
        let descriptor: Int32
        var buffer: [UInt8] = []
        var next = 0
        var failed = false

        mutating func fill() {
            var poll = pollfd(fd: descriptor, events: Int16(POLLIN | POLLOUT), revents: 0)
            _ = Glibc.poll(&poll, 1, 1000)
            guard poll.revents & Int16(POLLIN) != 0 else { return }
            receive()
        }

        mutating func receive() {
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            var count = 0
            repeat { count = recv(descriptor, &chunk, chunk.count, 0) } while count < 0 && errno == EINTR
            if count > 0 { buffer.append(contentsOf: chunk[..<count]) } else { failed = true }
        }

        mutating func line() -> String? {
            while !failed {
                if let end = buffer[next...].firstIndex(of: 13), end + 1 < buffer.count {
                    defer { next = end + 2 }
                    return String(decoding: buffer[next..<end], as: UTF8.self)
                }
                receive()
            }
            return nil
        }

        mutating func result() -> Result<StoreReply, StoreFailure>? {
            guard let line = line(), let kind = line.first else { return nil }
            let rest = String(line.dropFirst())
            switch kind {
            case "-":
                let words = rest.split(separator: " ", maxSplits: 1)
                return .failure(.server(code: String(words[0]), message: words.count > 1 ? String(words[1]) : ""))
            case "+": return .success(.string(ByteBuffer(string: rest)))
            case ":": return Int64(rest).map { .success(.integer($0)) }
            case "$":
                guard let length = Int(rest), length >= 0 else { return .success(.null) }
                while !failed, buffer.count < next + length + 2 { receive() }
                guard !failed else { return nil }
                defer { next += length + 2 }
                return .success(.string(ByteBuffer(bytes: buffer[next..<(next + length)])))
            case "*":
                guard let count = Int(rest), count >= 0 else { return .success(.null) }
                var elements: [StoreReply] = []
                for _ in 0..<count {
                    guard let element = result() else { return nil }
                    switch element {
                    case .success(let reply): elements.append(reply)
                    case .failure: elements.append(.null)
                    }
                }
                return .success(.array(elements))
            default: return nil
            }
        }
    }
}
