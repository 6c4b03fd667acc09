internal import Glibc
internal import NIOCore

/// Why a port cannot be served.
package enum RESPServerError: Error, Hashable, Sendable {
    /// Another process, or another port of this one, has the address.
    case portTaken(host: String, port: Int)
    /// The host has no such address.
    case noSuchAddress(host: String, port: Int)
    /// Ports below 1,024 need a privilege.
    case notPermitted(host: String, port: Int)
    case cannotListen(host: String, port: Int, message: String)
    /// A certificate or key file is unusable.
    case tls(reason: String)

    init(_ error: any Error, host: String, port: Int) {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE: self = .portTaken(host: host, port: port)
        case EADDRNOTAVAIL: self = .noSuchAddress(host: host, port: port)
        case EACCES, EPERM: self = .notPermitted(host: host, port: port)
        default: self = .cannotListen(host: host, port: port, message: "\(error)")
        }
    }
}

extension RESPServerError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .portTaken(let host, let port):
            "\(host):\(port) is taken by another process; stop it or choose another port"
        case .noSuchAddress(let host, let port): "this machine has no address \(host) to listen on (port \(port))"
        case .notPermitted(let host, let port):
            "not permitted to listen on \(host):\(port); choose a port above 1023"
        case .cannotListen(let host, let port, let message): "cannot listen on \(host):\(port): \(message)"
        case .tls(let reason): "TLS: \(reason)"
        }
    }
}
