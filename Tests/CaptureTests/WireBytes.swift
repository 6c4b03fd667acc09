import PGOutput

/// Writes pgoutput messages as PostgreSQL does (protocol-logicalrep-message-formats), for tests.
struct WireBytes {
    private(set) var bytes: [UInt8] = []

    enum Value {
        case text(String)
        case null
        case unchanged
    }

    mutating func integer(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func string(_ text: String) { bytes += Array(text.utf8) + [0] }

    mutating func letter(_ letter: Unicode.Scalar) { bytes.append(UInt8(ascii: letter)) }

    mutating func tuple(_ kind: Unicode.Scalar, _ values: [Value]) {
        letter(kind)
        integer(Int16(values.count))
        for value in values {
            switch value {
            case .null: letter("n")
            case .unchanged: letter("u")
            case .text(let text):
                letter("t")
                integer(Int32(text.utf8.count))
                bytes += Array(text.utf8)
            }
        }
    }

    static func message(_ tag: Unicode.Scalar, _ write: (inout WireBytes) -> Void) -> [UInt8] {
        var wire = WireBytes()
        wire.letter(tag)
        write(&wire)
        return wire.bytes
    }

    static func begin(_ lsn: UInt64, xid: UInt32 = 700) -> [UInt8] {
        message("B") {
            $0.integer(lsn)
            $0.integer(Int64(1_000))
            $0.integer(xid)
        }
    }

    static func commit(_ lsn: UInt64, end: UInt64) -> [UInt8] {
        message("C") {
            $0.integer(UInt8(0))
            $0.integer(lsn)
            $0.integer(end)
            $0.integer(Int64(1_000))
        }
    }

    /// `identity` is `d`, `i` or `f`; `key` are the names of its columns.
    static func relation(
        _ id: UInt32, _ name: String, _ columns: [String], key: Set<String> = ["tenant_dbid", "dbid"],
        identity: Unicode.Scalar = "i"
    ) -> [UInt8] {
        message("R") {
            $0.integer(id)
            $0.string("provisioning")
            $0.string(name)
            $0.letter(identity)
            $0.integer(Int16(columns.count))
            for column in columns {
                $0.integer(UInt8(key.contains(column) ? 1 : 0))
                $0.string(column)
                $0.integer(UInt32(25))
                $0.integer(Int32(-1))
            }
        }
    }

    static func insert(_ id: UInt32, _ values: [Value]) -> [UInt8] {
        message("I") {
            $0.integer(id)
            $0.tuple("N", values)
        }
    }

    static func update(_ id: UInt32, old: (Unicode.Scalar, [Value])? = nil, _ values: [Value]) -> [UInt8] {
        message("U") {
            $0.integer(id)
            if let old { $0.tuple(old.0, old.1) }
            $0.tuple("N", values)
        }
    }

    static func delete(_ id: UInt32, _ values: [Value], as kind: Unicode.Scalar = "K") -> [UInt8] {
        message("D") {
            $0.integer(id)
            $0.tuple(kind, values)
        }
    }

    static func truncate(_ ids: [UInt32]) -> [UInt8] {
        message("T") {
            $0.integer(Int32(ids.count))
            $0.integer(UInt8(0))
            for id in ids { $0.integer(id) }
        }
    }

    static func logical(transactional: Bool) -> [UInt8] {
        message("M") {
            $0.integer(UInt8(transactional ? 1 : 0))
            $0.integer(UInt64(5))
            $0.string("regionsync")
            $0.integer(Int32(0))
        }
    }
}

extension WireBytes.Value: ExpressibleByStringLiteral, ExpressibleByNilLiteral {
    init(stringLiteral value: String) { self = .text(value) }
    init(nilLiteral: ()) { self = .null }
}
