import Glibc

/// A client of a port that says exactly what a test wants said, and hears what comes as it is on the wire.
package final class PortTalk: Sendable {
    package struct NotConnected: Error {
        package let code: Int32
    }

    /// How long what is waited for may take.
    private static let patience = Duration.seconds(60)

    private let descriptor: Int32

    /// `receiveBytes` is what the kernel keeps for a client that does not read, about.
    package init(port: Int, receiveBytes: Int32? = nil) throws {
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

    // MARK: Saying

    /// Sends a request of words that stand apart at spaces.
    package func send(_ line: String) {
        let words = line.split(separator: " ")
        let text = "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
        let bytes = Array(text.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Sends of a text, whatever it is, as much as the kernel takes at once.
    ///
    /// - Returns: Bytes that it took.
    @discardableResult
    package func offer(_ text: String) -> Int {
        let bytes = Array(text.utf8)
        return max(Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)), 0)
    }

    // MARK: Hearing

    /// The reply to a request that is answered at once.
    package func say(_ line: String) async -> String {
        let end = "$3\r\nend\r\n"
        send(line)
        send("ECHO end")
        return String(await hear(until: end).dropLast(end.count))
    }

    /// What comes up to and with `end`; what there is where that does not come in time, or the other side closes.
    package func hear(until end: String) async -> String {
        let tail = Array(end.utf8)
        return await receive { heard in heard.suffix(tail.count).elementsEqual(tail) ? 0 : 1 }.text
    }

    /// Whether what comes next is this.
    package func hears(_ text: String) async -> Bool {
        await hear(text.utf8.count) == text
    }

    /// So many bytes, or fewer where the other side closes before; nil where neither comes in time.
    package func hear(_ count: Int) async -> String? {
        let (text, isInTime) = await receive { heard in count - heard.count }
        return isInTime ? text : nil
    }

    /// Receives as long as more is `wanted`, so many bytes, and the other side does not close.
    private func receive(_ wanted: ([UInt8]) -> Int) async -> (text: String, isInTime: Bool) {
        let deadline = ContinuousClock.now + Self.patience
        var heard: [UInt8] = []
        while true {
            let room = min(wanted(heard), 65_536)
            guard room > 0 else { break }
            var bytes = [UInt8](repeating: 0, count: room)
            let count = recv(descriptor, &bytes, room, Int32(MSG_DONTWAIT))
            if count > 0 {
                heard += bytes.prefix(count)
            } else if count == 0 || errno == ECONNRESET {
                break
            } else if ContinuousClock.now > deadline || Task.isCancelled {
                return (String(decoding: heard, as: UTF8.self), false)
            } else {
                try? await Task.sleep(for: .milliseconds(2))
            }
        }
        return (String(decoding: heard, as: UTF8.self), true)
    }
}
