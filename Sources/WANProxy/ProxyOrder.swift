/// What a proxy can be told, and how that is written in a script: one line an order.
///
/// `DIRECTION` is `there` (requests) or `back` (answers); without it, both are meant.
package enum ProxyOrder: Hashable, Sendable {
    /// `delay MS [DIRECTION]`
    case delay(Duration, [Direction])
    /// `rate BYTES-PER-SECOND|none [DIRECTION]`
    case rate(Int?, [Direction])
    /// `stall [DIRECTION]`, `cut [DIRECTION]`
    case pass(LinkConditions.Passage, [Direction])
    /// `heal`: open both ways again; delay and rate stay.
    case heal
    /// `flap UP-MS DOWN-MS`: open so long, cut so long, again and again, until `heal`.
    case flap(up: Duration, down: Duration)
    /// `reset`: break all connections now.
    case reset
    /// `reset-after BYTES [DIRECTION]`: break each of today's connections once so many more bytes have passed on it.
    case resetAfter(Int, [Direction])
    /// `refuse`: break new connections at once.
    case refuse
    /// `accept`: take new connections again.
    case accept
    /// `stats`: only answer.
    case stats

    /// Why a line is no order.
    package struct Malformed: Error, Hashable, Sendable {
        package let line: String

        package init(line: String) { self.line = line }
    }

    package init(line: String) throws(Malformed) {
        var words = line.split(separator: " ")[...]
        guard let order = Self.order(&words), words.isEmpty else { throw Malformed(line: line) }
        self = order
    }

    private static func order(_ words: inout ArraySlice<Substring>) -> ProxyOrder? {
        switch words.popFirst() {
        case "delay": number(&words, in: 0...60_000).map { .delay(.milliseconds($0), directions(&words)) }
        case "rate":
            if words.first == "none" {
                words.popFirst().map { _ in .rate(nil, directions(&words)) }
            } else {
                number(&words, in: 1_000...1 << 40).map { .rate($0, directions(&words)) }
            }
        case "stall": .pass(.stalled, directions(&words))
        case "cut": .pass(.cut, directions(&words))
        case "heal": .heal
        case "flap": flap(&words)
        case "reset": .reset
        case "reset-after": number(&words, in: 0...1 << 40).map { .resetAfter($0, directions(&words)) }
        case "refuse": .refuse
        case "accept": .accept
        case "stats": .stats
        default: nil
        }
    }

    private static func flap(_ words: inout ArraySlice<Substring>) -> ProxyOrder? {
        guard let up = number(&words, in: 1...600_000), let down = number(&words, in: 1...600_000) else { return nil }
        return .flap(up: .milliseconds(up), down: .milliseconds(down))
    }

    private static func number(_ words: inout ArraySlice<Substring>, in range: ClosedRange<Int>) -> Int? {
        guard let number = words.popFirst().flatMap({ Int($0) }), range.contains(number) else { return nil }
        return number
    }

    private static func directions(_ words: inout ArraySlice<Substring>) -> [Direction] {
        guard let direction = words.first.flatMap({ Direction(rawValue: String($0)) }) else {
            return Direction.allCases
        }
        words.removeFirst()
        return [direction]
    }
}
