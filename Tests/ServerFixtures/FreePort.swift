import Glibc
import Synchronization

/// A TCP port of the loopback address that nobody listens on.
///
/// It is none of those that the kernel gives to outgoing connections: one of them could take it before its server does, or
/// while that is stopped. No port is given twice before all others were.
package func freePort() throws -> Int {
    struct NoPort: Error {}
    for _ in ports {
        let port = lastPort.withLock { last in
            last = last + 1 < ports.upperBound ? last + 1 : ports.lowerBound
            return last
        }
        if isFree(port) { return port }
    }
    throw NoPort()
}

/// Others than the scripts in `ops` take, which run beside the tests.
private let ports = 11_000..<13_000
private let lastPort = Mutex(Int.random(in: 11_000..<13_000))

private func isFree(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr = in_addr(s_addr: INADDR_LOOPBACK.bigEndian)
    return withUnsafePointer(to: address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            bind(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}
