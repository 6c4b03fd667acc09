internal import NIOCore

/// An object by what its key in the cache is made of: `cfg:{<tenant>}:<type>:<id>`.
package struct ObjectAddress: Hashable, Sendable {
    /// The tenant's dbid.
    let tenant: Int64
    /// Type and ID, in UTF-8, one behind the other.
    let words: [UInt8]
    /// How many of them are the type.
    let typeCount: Int

    package init(tenant: Int64, type: String, id: String) {
        self.tenant = tenant
        words = Array(type.utf8) + Array(id.utf8)
        typeCount = type.utf8.count
    }

    /// Nil for a key that is no object's. One of an index looks like that of an object which nobody can ask for.
    init?(key: ByteBuffer) {
        let bytes = key.readableBytesView
        guard bytes.starts(with: "cfg:{".utf8), let end = bytes.firstIndex(of: UInt8(ascii: "}")),
            let tenant = Int64(String(decoding: bytes[..<end].dropFirst(5), as: UTF8.self))
        else { return nil }
        let rest = bytes[end...].dropFirst()
        guard rest.first == UInt8(ascii: ":") else { return nil }
        let name = rest.dropFirst()
        guard let colon = name.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let type = name[..<colon]
        self.tenant = tenant
        words = Array(type) + Array(name[colon...].dropFirst())
        typeCount = type.count
    }
}
