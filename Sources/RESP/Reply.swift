package import NIOCore

/// What a server answers, or pushes, before it has the form of either version of the protocol.
package indirect enum Reply: Hashable, Sendable {
    /// A short text of one line, such as `OK`.
    case simple(String)
    case error(ReplyError)
    case integer(Int64)
    /// A string of any bytes.
    case bulk(ByteBuffer)
    /// A string in UTF-8.
    case text(String)
    /// Nothing, where a string could have been.
    case null
    /// Nothing, where an array could have been.
    case nullArray
    case array([Reply])
    /// Pairs, in an order that RESP2 keeps: there they are one flat array.
    case map([Pair])
    /// Pairs; in RESP2 an array of arrays of two, as `XREAD` answers.
    case pairs([Pair])
    /// Elements of which none stands twice; an array in RESP2.
    case set([Reply])
    /// A string in RESP2.
    case double(Double)
    /// 1 or 0 in RESP2.
    case boolean(Bool)
    /// Text for people to read, shown with its line ends; a string in RESP2.
    case verbatim(String)
    /// What nobody asked for; an array in RESP2, where only a client that expects it can tell it from a reply.
    case push([Reply])
    /// An array of strings that have wire form already: they are copied as they are.
    case strings(BulkStrings)
    /// A map of strings that have wire form already, a field and its value in turn.
    case fields(BulkStrings)
    /// An array of `count` elements that have wire form already: the same in both versions, and so made once, sent to any
    /// number of clients, or in that of the one client it is for. They are not looked at: whoever makes it vouches for them.
    case elements(ByteBuffer, count: Int)

    /// A key of a map and its value.
    package struct Pair: Hashable, Sendable {
        package let key: Reply
        package let value: Reply

        package init(_ key: Reply, _ value: Reply) {
            self.key = key
            self.value = value
        }
    }
}

extension Reply {
    package static let ok = Reply.simple("OK")

    /// A map whose keys are strings.
    package static func map(_ pairs: KeyValuePairs<String, Reply>) -> Reply {
        .map(pairs.map { Pair(.text($0.key), $0.value) })
    }

    /// An error whose code, the first word, is `code`.
    package static func error(_ code: String, _ message: String) -> Reply {
        .error(ReplyError(code: code, message: message))
    }

    /// Whether it is an error.
    package var isError: Bool {
        if case .error = self { true } else { false }
    }
}

/// An error as RESP carries it: `-CODE message\r\n`.
package struct ReplyError: Error, Hashable, Sendable {
    /// The first word, in capitals: what programs look at.
    package let code: String
    /// What people read.
    package let message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    /// An error of the code `ERR`.
    package init(_ message: String) {
        self.init(code: "ERR", message: message)
    }
}

extension ReplyError: CustomStringConvertible {
    package var description: String { message.isEmpty ? code : "\(code) \(message)" }
}
