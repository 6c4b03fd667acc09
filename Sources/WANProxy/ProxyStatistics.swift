/// What a proxy has carried; its answer to every order.
package struct ProxyStatistics: Codable, Hashable, Sendable {
    /// When this was so, and the order carried out, by CLOCK_MONOTONIC.
    package let atNs: UInt64
    /// Client connections open now, and ever taken.
    package let connections: Int
    package let accepted: Int
    /// Bytes that arrived at the server, and at clients.
    package let bytesThere: Int
    package let bytesBack: Int
    /// Bytes on their way.
    package let queuedBytes: Int
}
