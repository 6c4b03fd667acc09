/// Writes pgoutput messages as PostgreSQL does (protocol-logicalrep-message-formats).
struct WireBytes {
    enum Value: Hashable, Sendable {
        case text(String)
        case null
        /// A TOAST value that the change left alone.
        case unchanged
    }

    private(set) var bytes: [UInt8] = []

    private init(_ tag: Unicode.Scalar) { bytes.append(UInt8(ascii: tag)) }

    private mutating func integer<Number: FixedWidthInteger>(_ value: Number) {
        for place in 1...MemoryLayout<Number>.size {
            bytes.append(UInt8(truncatingIfNeeded: value >> Number(8 * (MemoryLayout<Number>.size - place))))
        }
    }

    private mutating func string(_ text: String) {
        bytes += text.utf8
        bytes.append(0)
    }

    private mutating func tuple(_ kind: Unicode.Scalar, _ values: [Value]) {
        bytes.append(UInt8(ascii: kind))
        integer(Int16(values.count))
        for value in values {
            switch value {
            case .null: bytes.append(UInt8(ascii: "n"))
            case .unchanged: bytes.append(UInt8(ascii: "u"))
            case .text(let text):
                bytes.append(UInt8(ascii: "t"))
                integer(Int32(text.utf8.count))
                bytes += text.utf8
            }
        }
    }

    static func begin(_ lsn: UInt64, time: Int64, xid: UInt32) -> [UInt8] {
        var wire = WireBytes("B")
        wire.integer(lsn)
        wire.integer(time)
        wire.integer(xid)
        return wire.bytes
    }

    static func commit(_ lsn: UInt64, end: UInt64, time: Int64) -> [UInt8] {
        var wire = WireBytes("C")
        wire.integer(UInt8(0))
        wire.integer(lsn)
        wire.integer(end)
        wire.integer(time)
        return wire.bytes
    }

    /// A table whose replica identity is an index over its columns `key`.
    static func relation(_ id: UInt32, _ schema: String, _ name: String, _ columns: [String], key: [String]) -> [UInt8]
    {
        var wire = WireBytes("R")
        wire.integer(id)
        wire.string(schema)
        wire.string(name)
        wire.bytes.append(UInt8(ascii: "i"))
        wire.integer(Int16(columns.count))
        for column in columns {
            wire.integer(UInt8(key.contains(column) ? 1 : 0))
            wire.string(column)
            wire.integer(UInt32(25))
            wire.integer(Int32(-1))
        }
        return wire.bytes
    }

    static func insert(_ id: UInt32, _ values: [Value]) -> [UInt8] {
        var wire = WireBytes("I")
        wire.integer(id)
        wire.tuple("N", values)
        return wire.bytes
    }

    static func update(_ id: UInt32, key: [Value]?, _ values: [Value]) -> [UInt8] {
        var wire = WireBytes("U")
        wire.integer(id)
        if let key { wire.tuple("K", key) }
        wire.tuple("N", values)
        return wire.bytes
    }

    static func delete(_ id: UInt32, _ key: [Value]) -> [UInt8] {
        var wire = WireBytes("D")
        wire.integer(id)
        wire.tuple("K", key)
        return wire.bytes
    }

    static func truncate(_ id: UInt32) -> [UInt8] {
        var wire = WireBytes("T")
        wire.integer(Int32(1))
        wire.integer(UInt8(0))
        wire.integer(id)
        return wire.bytes
    }
}
