internal import Glibc
internal import NIOCore

/// Why the admin server cannot listen.
package enum AdminServerError: Error, Hashable, Sendable {
    /// Another process, or another listener of this one, has the port.
    case portTaken(host: String, port: Int)
    /// The host has no such address.
    case noSuchAddress(host: String, port: Int)
    /// Ports below 1,024 need a privilege.
    case notPermitted(host: String, port: Int)
    case cannotListen(host: String, port: Int, message: String)

    internal init(_ error: IOError, host: String, port: Int) {
        switch error.errnoCode {
        case EADDRINUSE: self = .portTaken(host: host, port: port)
        case EADDRNOTAVAIL: self = .noSuchAddress(host: host, port: port)
        case EACCES, EPERM: self = .notPermitted(host: host, port: port)
        default: self = .cannotListen(host: host, port: port, message: "\(error)")
        }
    }
}

extension AdminServerError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .portTaken(let host, let port):
            "admin.port: \(host):\(port) is taken by another process; stop it or choose another port"
        case .noSuchAddress(let host, let port):
            "admin.host: this machine has no address \(host) to listen on (port \(port))"
        case .notPermitted(let host, let port):
            "admin.port: not permitted to listen on \(host):\(port); choose a port above 1023"
        case .cannotListen(let host, let port, let message):
            "admin: cannot listen on \(host):\(port): \(message)"
        }
    }
}
