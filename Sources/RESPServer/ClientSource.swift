/// Where a client comes from, for limits: an IPv4 address, the network (/64) of an IPv6 address, which one customer has
/// to itself, or this host.
package enum ClientSource: Hashable, Sendable {
    case ipv4(UInt32)
    case ipv6(network: UInt64)
    /// A Unix socket, or an address that cannot be told.
    case local

    /// Of 4 or 16 bytes in network order; an IPv4 address inside IPv6 (`::ffff:192.0.2.1`) counts as what it is.
    package init(address bytes: [UInt8]) {
        switch bytes.count {
        case 4: self = .ipv4(UInt32(truncatingIfNeeded: Self.number(bytes[...])))
        case 16:
            if bytes.prefix(10).allSatisfy({ $0 == 0 }), bytes[10] == 0xff, bytes[11] == 0xff {
                self = .ipv4(UInt32(truncatingIfNeeded: Self.number(bytes.suffix(4))))
            } else {
                self = .ipv6(network: Self.number(bytes.prefix(8)))
            }
        default: self = .local
        }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
