/// FNV-1a of 64 bits over fields, each closed by a byte that no UTF-8 text holds. It finds corruption, not forgery.
package struct PayloadDigest: Hashable, Sendable {
    package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    package init() {}

    package mutating func add(_ bytes: Span<UInt8>) {
        var hash = value
        for index in bytes.indices { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01b3 }
        value = (hash ^ 0xff) &* 0x100_0000_01b3
    }

    package mutating func add(_ text: String) {
        var text = text
        text.makeContiguousUTF8()
        add(text.utf8Span.span)
    }

    /// The digest of a voice entry.
    package static func voice(event: Span<UInt8>, key: Span<UInt8>, data: Span<UInt8>) -> UInt64 {
        var digest = PayloadDigest()
        digest.add(event)
        digest.add(key)
        digest.add(data)
        return digest.value
    }

    /// The digest of an object: of its columns that are not NULL, in any order.
    package static func object(_ columns: some Sequence<(String, String?)>) -> UInt64 {
        var sum: UInt64 = 0
        for (name, value) in columns {
            guard let value else { continue }
            var digest = PayloadDigest()
            digest.add(name)
            digest.add(value)
            var mixed = SplitMix64(seed: digest.value)
            sum &+= mixed.next()
        }
        return sum
    }
}
