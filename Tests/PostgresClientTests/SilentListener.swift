import Glibc

/// Takes connections on the loopback address and never says a word.
struct SilentListener {
    let port: Int
    private let descriptor: Int32

    init() throws {
        struct NoSocket: Error { let code: Int32 }
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr = in_addr(s_addr: INADDR_LOOPBACK.bigEndian)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 && listen(descriptor, 5) == 0
                    && getsockname(descriptor, pointer, &length) == 0
            }
        }
        guard isListening else { throw NoSocket(code: errno) }
        port = Int(in_port_t(bigEndian: address.sin_port))
    }

    func close() { _ = Glibc.close(descriptor) }
}
