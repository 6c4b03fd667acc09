import Glibc
import Synchronization

/// A TCP port of the loopback address that nobody has, and that no other caller is told.
///
/// It is none of those that the kernel hands out by itself: such a one may be anybody's by the time it is taken, or while
/// a server that is to come back on it is away.
package func freePort() throws -> Int {
    for _ in ports {
        let port = nextPort.withLock { next -> Int in
            let port = next
            next = port + 1 < ports.upperBound ? port + 1 : ports.lowerBound
            return port
        }
        if try isFree(port) { return port }
    }
    throw NoPort(code: EADDRINUSE)
}

private struct NoPort: Error {
    let code: Int32
}

/// Below those that Linux hands out (`ip_local_port_range`).
private let ports = 20_000..<32_000

/// Processes that test at the same time begin at different ones.
private let nextPort = Mutex(Int.random(in: 20_000..<32_000))

private func isFree(_ port: Int) throws -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw NoPort(code: errno) }
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
