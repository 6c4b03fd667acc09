import Glibc

/// A socket of this process that listens on a port of IPv4.
struct ListeningSocket {
    private let descriptor: Int32

    /// Nil where there is none.
    init?(port: Int) {
        let found = (Int32(0)..<4096).first { Self.listens($0) && Self.port(of: $0) == port }
        guard let found else { return nil }
        descriptor = found
    }

    /// Has the kernel refuse whoever wants to accept a connection.
    func spoil() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private static func listens(_ descriptor: Int32) -> Bool {
        var isListening: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) == 0 && isListening != 0
    }

    private static func port(of descriptor: Int32) -> Int? {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        return result == 0 ? Int(UInt16(bigEndian: address.sin_port)) : nil
    }
}
