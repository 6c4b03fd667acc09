internal import NIOCore

/// The first byte of a RESP value that carries a count.
enum RESPHeader {
    /// `$`, followed by the string's length in bytes.
    case bulkString
    /// `*`, followed by the number of elements.
    case array

    var byte: UInt8 {
        switch self {
        case .bulkString: UInt8(ascii: "$")
        case .array: UInt8(ascii: "*")
        }
    }
}

extension ByteBuffer {
    /// Writes `$<count>\r\n` or `*<count>\r\n`; up to three digits, nearly all there are, in one store.
    mutating func writeHeader(_ header: RESPHeader, _ count: Int) {
        let zero = UInt8(ascii: "0")
        switch count {
        case 0..<10:
            writeMultipleIntegers(header.byte, zero + UInt8(count), UInt16(0x0d0a))
        case 10..<100:
            let (tens, ones) = count.quotientAndRemainder(dividingBy: 10)
            writeMultipleIntegers(header.byte, zero + UInt8(tens), zero + UInt8(ones), UInt16(0x0d0a))
        case 100..<1000:
            let (hundreds, rest) = count.quotientAndRemainder(dividingBy: 100)
            let (tens, ones) = rest.quotientAndRemainder(dividingBy: 10)
            writeMultipleIntegers(
                header.byte, zero + UInt8(hundreds), zero + UInt8(tens), zero + UInt8(ones), UInt16(0x0d0a))
        default:
            writeInteger(header.byte)
            writeString(String(count))
            writeInteger(0x0d0a as UInt16)
        }
    }
}
