/// Why what a client sent is no request. The connection ends: nobody knows where the next request would begin.
package enum RequestError: Error, Hashable, Sendable {
    /// Behind `*` stands no number, or one above the limit.
    case invalidMultibulkLength
    /// More than the few words that a client may send before it is known.
    case unauthenticatedMultibulkLength
    /// The line that begins with `*` does not end.
    case tooBigMultibulkCount
    /// A word begins with this byte.
    case expectedBulk(found: UInt8)
    /// Behind `$` stands no number, a negative one, or one above the limit.
    case invalidBulkLength
    /// A word longer than a client may send before it is known.
    case unauthenticatedBulkLength
    /// The line that begins with `$` does not end.
    case tooBigBulkCount
    /// A line or a word does not end with CR and LF where it should.
    case missingLineEnd
    /// A line that is no multibulk request does not end.
    case tooBigInline
    /// A quote is not closed, or something stands right behind it.
    case unbalancedQuotes
    /// A request of more bytes than the limit.
    case tooBigQuery
}

extension RequestError: CustomStringConvertible {
    /// What the client is told behind `ERR `: the words of Redis' networking.c, where Redis has such an error.
    package var description: String { "Protocol error: \(problem)" }

    private var problem: String {
        switch self {
        case .invalidMultibulkLength: "invalid multibulk length"
        case .unauthenticatedMultibulkLength: "unauthenticated multibulk length"
        case .tooBigMultibulkCount: "too big mbulk count string"
        case .expectedBulk(let found): "expected '$', got '\(Self.printable(found))'"
        case .invalidBulkLength: "invalid bulk length"
        case .unauthenticatedBulkLength: "unauthenticated bulk length"
        case .tooBigBulkCount: "too big bulk count string"
        case .missingLineEnd: "expected CRLF"
        case .tooBigInline: "too big inline request"
        case .unbalancedQuotes: "unbalanced quotes in request"
        case .tooBigQuery: "too big request"
        }
    }

    /// An error is one line of text, so that of other bytes only that they were there is told.
    private static func printable(_ byte: UInt8) -> Character {
        0x20...0x7e ~= byte ? Character(UnicodeScalar(byte)) : "?"
    }
}
