import Testing

/// Bytes of a peer, shown with their control characters escaped.
struct Wire: Sendable, ExpressibleByStringLiteral, CustomTestStringConvertible {
    let text: String

    init(stringLiteral text: String) { self.text = text }

    var testDescription: String { text.debugDescription }
}

/// A reply and how it reads.
struct Sample: Sendable, CustomTestStringConvertible {
    let wire: String
    let text: String

    init(_ wire: String, _ text: String) {
        self.wire = wire
        self.text = text
    }

    var testDescription: String { wire.debugDescription }
}
