import Glibc
import Testing

/// A TCP connection that says exactly what a test wants said.
final class RawClient: Sendable {
    struct NotConnected: Error {
        let code: Int32
    }

    private let descriptor: Int32

    /// `receiveBytes` is what the kernel keeps for a client that does not read, about.
    init(port: Int, receiveBytes: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var receiveBytes {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBytes, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw NotConnected(code: errno) }
    }

    deinit { close(descriptor) }

    /// Sends as much as the kernel takes at once.
    ///
    /// - Returns: Bytes that it took.
    @discardableResult
    func send(_ text: String) -> Int {
        let bytes = Array(text.utf8)
        return max(Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)), 0)
    }

    /// The next `text.utf8.count` bytes must be `text`.
    func expect(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) async {
        let received = await read(text.utf8.count)
        #expect(received == text, sourceLocation: sourceLocation)
    }

    /// The next bytes must be `text`, and the last.
    func expectEnd(_ text: String = "", sourceLocation: SourceLocation = #_sourceLocation) async {
        let received = await read(.max)
        #expect(received == text, sourceLocation: sourceLocation)
    }

    /// What comes up to and with `end`, or until the other side closes; nil if neither comes in time.
    func read(until end: String) async -> String? {
        var text = ""
        while !text.hasSuffix(end) {
            guard let byte = await read(1) else { return nil }
            if byte.isEmpty { break }
            text.unicodeScalars += byte.unicodeScalars
        }
        return text
    }

    /// So many bytes, or fewer if the other side closes before; nil if neither comes in time.
    func read(_ count: Int) async -> String? {
        let deadline = ContinuousClock.now + .seconds(60)
        var received: [UInt8] = []
        while received.count < count {
            var chunk = [UInt8](repeating: 0, count: min(count - received.count, 65_536))
            let length = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
            if length > 0 {
                received += chunk.prefix(length)
            } else if length == 0 || errno == ECONNRESET {
                break
            } else if ContinuousClock.now > deadline {
                return nil
            } else {
                try? await Task.sleep(for: .milliseconds(2))
            }
        }
        return String(decoding: received, as: UTF8.self)
    }
}
