/// Durations as region files write them: a whole number and a unit, `500ms`, `10s`, `10m`, `1h`, `7d`.
enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    /// The duration `text` stands for, or nil where it is not one or exceeds 100 years.
    static func parse(_ text: String) -> Duration? {
        guard let (number, suffix) = Quantity.split(text),
            let unit = units.first(where: { $0.suffix == suffix })
        else { return nil }
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: unit.milliseconds)
        guard !overflow, milliseconds <= 100 * 366 * 86_400_000 else { return nil }
        return .milliseconds(milliseconds)
    }

    /// The shortest text that `parse` reads back as `duration` (whole milliseconds).
    static func format(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        guard milliseconds != 0,
            let unit = units.last(where: { milliseconds.isMultiple(of: $0.milliseconds) })
        else { return "0s" }
        return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
    }
}

/// Sizes as region files write them: whole bytes, or a whole number and `KiB`, `MiB`, `GiB`, `TiB`.
enum ByteCountText {
    private static let units: [(suffix: String, bytes: Int64)] = [
        ("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
    ]

    /// The bytes `text` stands for, or nil where it is not a size or does not fit.
    static func parse(_ text: String) -> Int? {
        guard let (number, suffix) = Quantity.split(text),
            let unit = units.first(where: { $0.suffix == suffix })
        else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : Int(exactly: bytes)
    }

    /// The shortest text that `parse` reads back as `bytes`.
    static func format(_ bytes: Int) -> String {
        guard bytes != 0, let unit = units.last(where: { Int64(bytes).isMultiple(of: $0.bytes) }) else { return "0B" }
        return "\(Int64(bytes) / unit.bytes)\(unit.suffix)"
    }
}

private enum Quantity {
    /// `64MiB` as 64 and `MiB`; nil where no digits lead or the number exceeds 64 bits. Blanks between are allowed.
    static func split(_ text: String) -> (number: Int64, suffix: String)? {
        let digits = text.prefix { "0"..."9" ~= $0 }
        guard let number = Int64(digits) else { return nil }
        return (number, String(text[digits.endIndex...].drop { $0 == " " }))
    }
}
