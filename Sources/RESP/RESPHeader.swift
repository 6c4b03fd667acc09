/// The first byte of a RESP value that carries a count.
enum RESPHeader {
    /// `$`, followed by the string's length in bytes.
    case bulkString
    /// `*`, followed by the number of elements.
    case array
    /// `%`, followed by the number of pairs; RESP3.
    case map
    /// `~`, followed by the number of elements; RESP3.
    case set
    /// `>`, followed by the number of elements; RESP3.
    case push
    /// `=`, followed by the length in bytes of format, colon and text; RESP3.
    case verbatim
    /// `:`, followed by the number itself, here one that is not negative.
    case integer

    var byte: UInt8 {
        switch self {
        case .bulkString: UInt8(ascii: "$")
        case .array: UInt8(ascii: "*")
        case .map: UInt8(ascii: "%")
        case .set: UInt8(ascii: "~")
        case .push: UInt8(ascii: ">")
        case .verbatim: UInt8(ascii: "=")
        case .integer: UInt8(ascii: ":")
        }
    }
}

extension RESPHeader {
    /// Bytes that a header takes at most.
    static let room = 23

    /// Writes `$<count>\r\n`, `*<count>\r\n` or the like to the beginning of `target`, which has room for it; answers its
    /// size.
    @unsafe func write(_ count: Int, to target: UnsafeMutableRawBufferPointer) -> Int {
        var end = 1
        var limit = 10
        while count >= limit, end < 19 {
            end += 1
            limit &*= 10
        }
        unsafe target[0] = byte
        unsafe target[end + 1] = UInt8(ascii: "\r")
        unsafe target[end + 2] = UInt8(ascii: "\n")
        var rest = count
        for place in stride(from: end, to: 0, by: -1) {
            unsafe target[place] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        return end + 3
    }
}
