internal import Glibc
internal import NIOCore

extension ClientSource {
    /// Where a connection from this address comes from.
    init(_ address: SocketAddress?) {
        self.init(address: address?.ipAddress.flatMap(Self.bytes) ?? [])
    }

    /// The 4 or 16 bytes of an address in its usual notation.
    private static func bytes(of address: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if unsafe inet_pton(AF_INET, address, &bytes) == 1 { return Array(bytes.prefix(4)) }
        return unsafe inet_pton(AF_INET6, address, &bytes) == 1 ? bytes : nil
    }
}

extension SocketAddress? {
    /// `host:port`, as Redis shows addresses; of a Unix socket its path.
    var hostAndPort: String {
        switch self {
        case .v4?: "\(self?.ipAddress ?? ""):\(self?.port ?? 0)"
        case .v6?: "[\(self?.ipAddress ?? "")]:\(self?.port ?? 0)"
        case .unixDomainSocket?: "\(self?.pathname ?? ""):0"
        case nil: "?:0"
        }
    }
}
