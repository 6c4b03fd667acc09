import Glibc
import Testing

/// A client of a port that shows what comes as it is on the wire.
final class TextClient {
    struct NotConnected: Error {
        let code: Int32
    }

    private let descriptor: Int32
    private var received: [UInt8] = []
    private var asked = 0
    /// The lines that were said last.
    private var said: [String] = []

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw NotConnected(code: errno) }
    }

    deinit { close(descriptor) }

    /// Says lines, of words apart at spaces, and answers all that comes up to the reply to the last of them.
    func say(_ lines: String...) async throws -> String {
        asked += 1
        let mark = "end-\(asked)"
        send(lines + ["ECHO \(mark)"])
        let end = "$\(mark.utf8.count)\r\n\(mark)\r\n"
        // CR and LF together are one character.
        return String(try await read(upTo: end).dropLast(end.count))
    }

    /// Says lines without waiting for anything.
    func send(_ lines: [String]) {
        said = lines
        let text = lines.map { line in
            let words = line.split(separator: " ")
            return "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
        }.joined()
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// All that comes up to and with `end`; what comes behind it, such as a push, is kept for the next one who reads.
    func read(upTo end: String) async throws -> String {
        let deadline = ContinuousClock.now + .seconds(60)
        let wanted = Array(end.utf8)
        while true {
            if let found = received.firstRange(of: wanted) {
                let read = String(decoding: received[..<found.upperBound], as: UTF8.self)
                received.removeSubrange(..<found.upperBound)
                return read
            }
            while try !receive() {
                try #require(ContinuousClock.now < deadline, "in vain for \(end) behind \(said): \(text)")
                try await Task.sleep(for: .milliseconds(1))
            }
        }
    }

    /// Whether what has come, and is not answered yet, has `word` in it.
    func hasReceived(_ word: String) throws -> Bool {
        while try receive() {}
        return text.contains(word)
    }

    /// Whether the port has hung up; what came before is not kept.
    var isCutOff: Bool {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
            guard count <= 0 else { continue }
            return count == 0 || errno != EAGAIN && errno != EINTR
        }
    }

    /// Takes what has come; false where nothing has.
    private func receive() throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
        let isOpen = count > 0 || count < 0 && (errno == EAGAIN || errno == EINTR)
        try #require(isOpen, "the port hung up: \(text)")
        received += chunk.prefix(max(count, 0))
        return count > 0
    }

    private var text: String { String(decoding: received, as: UTF8.self) }
}
