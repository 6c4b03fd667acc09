package import Logging

/// One log line under construction, in logfmt or as a JSON object.
///
/// Control characters are escaped, so that one event is always one line; a value longer than 2,048 bytes is cut.
package struct LogLine {
    private static let longestValue = 2_048

    private let format: LogOutput.Format
    private var bytes: [UInt8] = []

    package init(format: LogOutput.Format) {
        self.format = format
        bytes.reserveCapacity(256)
    }

    /// Adds a metadata value; a dictionary adds one field a leaf with a dotted key, an array joins its elements.
    package mutating func append(key: String, _ value: Logger.MetadataValue) {
        switch value {
        case .string(let text): append(key: key, value: text)
        case .stringConvertible(let value): append(key: key, value: value.description)
        case .array: append(key: key, value: "\(value)")
        case .dictionary(let fields):
            for (name, field) in fields.sorted(by: { $0.key < $1.key }) { append(key: "\(key).\(name)", field) }
        }
    }

    /// Adds one field.
    package mutating func append(key: String, value: String) {
        switch format {
        case .logfmt:
            if !bytes.isEmpty { bytes.append(UInt8(ascii: " ")) }
            bytes += key.utf8.map { Self.isBare($0) ? $0 : UInt8(ascii: "_") }
            bytes.append(UInt8(ascii: "="))
            if !value.isEmpty && value.utf8.allSatisfy(Self.isBare) && value.utf8.count <= Self.longestValue {
                bytes += value.utf8
            } else {
                appendQuoted(value)
            }
        case .json:
            bytes.append(UInt8(ascii: bytes.isEmpty ? "{" : ","))
            appendQuoted(key)
            bytes.append(UInt8(ascii: ":"))
            appendQuoted(value)
        }
    }

    /// The line with its newline.
    package consuming func finished() -> [UInt8] {
        if format == .json { bytes += bytes.isEmpty ? Array("{}".utf8) : [UInt8(ascii: "}")] }
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    /// Needs no quotes in logfmt: printable, no space, quote, `=` or backslash.
    private static func isBare(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte != 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "=")
            && byte != UInt8(ascii: "\\")
    }

    private mutating func appendQuoted(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var room = Self.longestValue
        for scalar in text.unicodeScalars {
            guard room > 0 else {
                bytes += "…".utf8
                break
            }
            let encoded = scalar.utf8
            room -= encoded.count
            switch scalar {
            case "\"", "\\": bytes += [UInt8(ascii: "\\"), UInt8(ascii: scalar)]
            case "\n": bytes += "\\n".utf8
            case "\r": bytes += "\\r".utf8
            case "\t": bytes += "\\t".utf8
            case "\u{0}"..<" ", "\u{7F}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                bytes += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
            default: bytes += encoded
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
