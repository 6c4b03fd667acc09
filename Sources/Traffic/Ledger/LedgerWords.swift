/// The words of one line of a ledger, taken from the left.
struct LedgerWords {
    private var position: Int
    private let end: Int

    init(position: Int, end: Int) {
        self.position = position
        self.end = end
    }

    var isOver: Bool { position >= end }

    /// A word of one letter.
    mutating func letter(_ bytes: Span<UInt8>) -> UInt8? {
        let word = next(bytes)
        return word.count == 1 ? bytes[word.lowerBound] : nil
    }

    mutating func decimal(_ bytes: Span<UInt8>, end separator: UInt8 = UInt8(ascii: " ")) -> UInt64? {
        let word = next(bytes, end: separator)
        guard !word.isEmpty else { return nil }
        var value: UInt64 = 0
        for index in word {
            guard bytes[index] >= UInt8(ascii: "0"), bytes[index] <= UInt8(ascii: "9") else { return nil }
            let (tens, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = tens.addingReportingOverflow(UInt64(bytes[index] - UInt8(ascii: "0")))
            if tooLarge || overflow { return nil }
            value = sum
        }
        return value
    }

    mutating func hexadecimal(_ bytes: Span<UInt8>) -> UInt64? {
        LedgerWords.hexadecimal(bytes, next(bytes))
    }

    /// Everything that is left, as text.
    mutating func rest(_ bytes: Span<UInt8>) -> String? {
        defer { position = end }
        return LedgerWords.text(bytes, position..<end)
    }

    /// `<number> <xid> <object>=<digest> …`
    mutating func transaction(_ bytes: Span<UInt8>, isAnswered: Bool) -> ProducedTransaction? {
        guard let number = decimal(bytes), let number = Int64(exactly: number), let xid = decimal(bytes),
            let xid = UInt32(exactly: xid)
        else { return nil }
        var touched: [TouchedObject] = []
        while !isOver {
            guard let tenant = name(bytes, end: UInt8(ascii: "/")), let type = name(bytes, end: UInt8(ascii: "/")),
                let key = name(bytes, end: UInt8(ascii: "="))
            else { return nil }
            let word = next(bytes)
            let isDeleted = word.count == 1 && bytes[word.lowerBound] == UInt8(ascii: "-")
            let digest = isDeleted ? nil : LedgerWords.hexadecimal(bytes, word)
            guard isDeleted || digest != nil else { return nil }
            touched.append(TouchedObject(ObjectKey(tenant: tenant, type: type, key: key), digest: digest))
        }
        return ProducedTransaction(number: number, xid: xid, touched: touched, isAnswered: isAnswered)
    }

    /// The range up to the separator, which is passed over.
    private mutating func next(_ bytes: Span<UInt8>, end separator: UInt8 = UInt8(ascii: " ")) -> Range<Int> {
        let start = position
        while position < end, bytes[position] != separator { position += 1 }
        defer { position += 1 }
        return start..<position
    }

    /// A part of an object's name, its escapes undone.
    private mutating func name(_ bytes: Span<UInt8>, end separator: UInt8) -> String? {
        let range = next(bytes, end: separator)
        guard position <= end else { return nil }  // the separator was not there
        var text: [UInt8] = []
        var index = range.lowerBound
        while index < range.upperBound {
            if bytes[index] == UInt8(ascii: "%") {
                guard index + 2 < range.upperBound,
                    let byte = LedgerWords.hexadecimal(bytes, (index + 1)..<(index + 3))
                else { return nil }
                text.append(UInt8(truncatingIfNeeded: byte))
                index += 3
            } else {
                text.append(bytes[index])
                index += 1
            }
        }
        return String(validating: text, as: UTF8.self)
    }

    private static func hexadecimal(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
        guard (1...16).contains(range.count) else { return nil }
        var value: UInt64 = 0
        for index in range {
            switch bytes[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(bytes[index] - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                value = value << 4 | UInt64(bytes[index] - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    private static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String? {
        do { return String(copying: try UTF8Span(validating: bytes.extracting(range))) } catch { return nil }
    }
}
