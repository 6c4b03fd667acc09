internal import Crypto

/// Computes digests of objects, one after the other, in the same memory.
package struct Digester: Sendable {
    private var message: [UInt8] = []

    /// With empty memory.
    package init() {}

    /// The digest of the object `key` with these columns, in any order; nil is NULL.
    package mutating func digest(key: String, columns: [(name: String, value: String?)]) -> ObjectDigest {
        message.removeAll(keepingCapacity: true)
        append(key)
        for column in columns.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
            guard let value = column.value else { continue }
            append(column.name)
            append(value)
        }
        return unsafe ObjectDigest(ofMessage: message.span.bytes)
    }

    private mutating func append(_ piece: String) {
        message.append(contentsOf: String(piece.utf8.count).utf8)
        message.append(UInt8(ascii: ":"))
        message.append(contentsOf: piece.utf8)
    }
}

extension ByteWriter {
    /// Writes a piece of a digest's message, led by its length.
    mutating func write(piece: RawSpan) {
        write(decimal: UInt64(piece.byteCount))
        write(UInt8(ascii: ":"))
        write(piece)
    }
}

extension ObjectDigest {
    /// The digest of an object whose pieces make this text.
    init(ofMessage message: RawSpan) {
        self.init(value: message.leadingMD5 >> 16)
    }
}

extension Bucket {
    /// The bucket of the object `key`.
    package static func index(ofKey key: RawSpan, buckets: Int = Bucket.count) -> Int {
        Int((key.leadingMD5 >> 32) % UInt64(buckets))
    }

    /// The bucket of the object `key`.
    package static func index(ofKey key: String.UTF8View, buckets: Int = Bucket.count) -> Int {
        unsafe index(ofKey: Array(key).span.bytes, buckets: buckets)
    }
}

extension RawSpan {
    /// The first eight bytes of the MD5 of these bytes as a number, most significant first.
    fileprivate var leadingMD5: UInt64 {
        var md5 = Insecure.MD5()
        unsafe withUnsafeBytes { unsafe md5.update(bufferPointer: $0) }
        return unsafe md5.finalize().withUnsafeBytes { UInt64(bigEndian: unsafe $0.loadUnaligned(as: UInt64.self)) }
    }
}
