/// Reads what `HashDump` writes: a hash as RESTORE takes it. No string of the simulation is longer than a listpack holds.
struct HashDumpReader {
    private let bytes: [UInt8]
    private var next = 0

    /// The fields of a dump that is a listpack; nil for any other.
    static func fields(in dump: [UInt8]) -> [String: String]? {
        guard dump.count > 11, dump[0] == 16 else { return nil }
        // Behind the type, the string's length in two bytes, the listpack's own length and count.
        var reader = HashDumpReader(bytes: dump, next: 9)
        var fields: [String: String] = [:]
        while reader.next < dump.count, dump[reader.next] != 0xff {
            guard let name = reader.entry(), let value = reader.entry() else { return nil }
            fields[name] = value
        }
        return fields
    }

    private mutating func entry() -> String? {
        let start = next
        let tag = bytes[next]
        next += 1
        var text: String
        switch tag {
        case 0..<0x80: text = "\(tag)"
        case 0x80..<0xc0: text = string(Int(tag & 0x3f))
        case 0xc0..<0xe0:
            let number = Int(tag & 0x1f) << 8 | Int(bytes[next])
            next += 1
            text = "\(number < 4096 ? number : number - 8192)"
        case 0xe0..<0xf0:
            let length = Int(tag & 0x0f) << 8 | Int(bytes[next])
            next += 1
            text = string(length)
        case 0xf1: text = "\(number(2))"
        case 0xf2: text = "\(number(3))"
        case 0xf3: text = "\(number(4))"
        case 0xf4: text = "\(number(8))"
        default: return nil
        }
        // What follows is the entry's size, for walks backwards.
        return next - start == Int(bytes[next]) ? advanced(text) : nil
    }

    private mutating func advanced(_ text: String) -> String {
        next += 1
        return text
    }

    private mutating func string(_ length: Int) -> String {
        defer { next += length }
        return String(decoding: bytes[next..<next + length], as: UTF8.self)
    }

    /// A signed number in so many bytes, the lowest first.
    private mutating func number(_ count: Int) -> Int64 {
        var bits: UInt64 = 0
        for place in 0..<count { bits |= UInt64(bytes[next + place]) << (8 * UInt64(place)) }
        next += count
        let unused = UInt64(64 - 8 * count)
        return Int64(bitPattern: bits << unused) >> Int64(unused)
    }
}
