import Glibc
import NIOCore
import RESP

/// One client's bytes, and what a port answers to them.
struct Conversation {
    /// Sent behind the bytes: whatever they leave behind, the last of these is answered, and as what it is.
    private static let trailer = "DISCARD\r\nCLIENT REPLY ON\r\nECHO fuzz-end\r\n"
    private static let trailerCount = 3
    private static let end = Array("$8\r\nfuzz-end\r\n".utf8)
    /// How long nothing may come from a port that may be waiting for something, and from one that may not: much else may
    /// run on the machine.
    private static let patience: (waiting: Int32, other: Int32) = (20, 60_000)

    private let port: Int
    /// What is sent.
    private let bytes: [UInt8]
    /// The requests up to the one that ends the connection.
    private let requests: [Request]
    /// Whether the port hangs up by itself.
    private let isEnded: Bool
    private let mayBeLetGo: Bool
    /// Replies that must come; nil where that cannot be told.
    private let replyCount: Int?

    init(_ input: [UInt8], port: Int) {
        self.port = port
        var decoder = RequestDecoder(limits: .afterAuthentication)
        decoder.feed(ByteBuffer(bytes: input))
        var requests: [Request] = []
        var isRefused = false
        do throws(RequestError) {
            while let request = try decoder.next() { requests.append(request) }
        } catch {
            isRefused = true
        }
        let last = requests.firstIndex { $0.isHangUp || $0.isOfBrowser }
        // A browser gets no answer.
        var count = last.map { requests[$0].isHangUp ? $0 + 1 : $0 } ?? requests.count
        if last == nil { count += isRefused ? 1 : Self.trailerCount }
        isEnded = last != nil || isRefused
        self.requests = last.map { Array(requests[...$0]) } ?? requests
        // Who watches and goes back to RESP2 is let go.
        mayBeLetGo = self.requests.contains { $0.isWatch } && self.requests.contains { $0.changesVersion }
        replyCount = mayBeLetGo || self.requests.contains { $0.turnsRepliesOff } ? nil : count
        // What is no whole request is not sent, except to be refused.
        var bytes = isRefused ? input : Array(input.dropLast(decoder.pendingBytes))
        if !isEnded { bytes += Array(Self.trailer.utf8) }
        self.bytes = bytes
    }

    /// Sends the bytes; what comes back must be well formed, and all of it.
    func run() {
        guard let connection = Connection(port: port) else { preconditionFailure("the port cannot be had") }
        connection.send(bytes)
        let mayWait = requests.contains { $0.mayWait }
        var received: [UInt8] = []
        while true {
            let patience = mayWait ? Self.patience.waiting : Self.patience.other
            switch connection.receive(patience: patience) {
            case .bytes(let more):
                received += more
                if !isEnded, received.suffix(Self.end.count).elementsEqual(Self.end), isWhole(received) { return }
            case .end: return check(received, isWhole: true)
            case .nothing:
                precondition(mayWait, "the port does not answer")
                return check(received, isWhole: false)
            }
        }
    }

    /// Whether this is all that was to come.
    private func isWhole(_ received: [UInt8]) -> Bool {
        var reader = ReplyReader(received)
        let count = reader.count()
        precondition(reader.isWellFormed, "the reply is no RESP")
        guard reader.isAtEnd else { return false }
        return replyCount.map { $0 == count } ?? true
    }

    private func check(_ received: [UInt8], isWhole: Bool) {
        var reader = ReplyReader(received)
        let count = reader.count()
        precondition(reader.isWellFormed, "the reply is no RESP")
        guard isWhole else { return precondition(replyCount.map { count <= $0 } ?? true, "more replies than requests") }
        precondition(isEnded || mayBeLetGo, "the port hung up")
        precondition(reader.isAtEnd, "half a reply")
        // Who waits when the port hangs up on a request that is none gets no answer.
        if !requests.contains(where: \.mayWait) {
            precondition(replyCount.map { $0 == count } ?? true, "not one reply a request")
        }
    }
}

extension Request {
    fileprivate var isHangUp: Bool { isKeyword(0, "QUIT") }

    fileprivate var isOfBrowser: Bool { isKeyword(0, "POST") || isKeyword(0, "HOST:") }

    fileprivate var turnsRepliesOff: Bool { isKeyword(0, "CLIENT") && isKeyword(1, "REPLY") }

    /// Whether it may take long to answer, because the client wants it so.
    fileprivate var mayWait: Bool {
        isKeyword(0, "WAIT") || isWatch || (1..<max(count, 1)).contains { isKeyword($0, "BLOCK") }
    }

    fileprivate var isWatch: Bool { isKeyword(0, "VOICE.WATCH") || isKeyword(0, "CFG.WATCH") }

    fileprivate var changesVersion: Bool { isKeyword(0, "RESET") || isKeyword(0, "HELLO") && isKeyword(1, "2") }
}

/// What a system call answers, asked again when a signal interrupts it: the fuzzer's own clock is an alarm every few seconds.
private func uninterrupted(_ call: () -> Int) -> Int {
    while true {
        let answer = call()
        if answer >= 0 || errno != EINTR { return answer }
    }
}

/// A TCP connection, which leaves nothing behind when it is over.
private final class Connection {
    enum Received {
        case bytes([UInt8])
        case end
        case nothing
    }

    private let descriptor: Int32

    init?(port: Int) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                uninterrupted { Int(connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size))) }
            }
        }
        // What is interrupted goes on, and is done or nearly so when it is asked for again.
        guard connected == 0 || errno == EISCONN || errno == EALREADY else { return nil }
        // Closed with a reset: thousands of connections a second would use up the ports otherwise.
        var reset = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &reset, socklen_t(MemoryLayout<linger>.size))
    }

    deinit { close(descriptor) }

    /// An input is far smaller than what the kernel keeps for a connection.
    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { start in
                uninterrupted { Glibc.send(descriptor, start.baseAddress, start.count, Int32(MSG_NOSIGNAL)) }
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Waits for so many milliseconds.
    func receive(patience: Int32) -> Received {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard uninterrupted({ Int(poll(&waiting, 1, patience)) }) > 0 else { return .nothing }
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = uninterrupted { recv(descriptor, &chunk, chunk.count, 0) }
        return count > 0 ? .bytes(Array(chunk.prefix(count))) : .end
    }
}
