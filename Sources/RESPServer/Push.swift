package import RESP
package import NIOCore

/// What is sent without being asked for, in wire form: made once, sent to any number of clients. Hardly any of them has
/// RESP2, for whom it is made when it is sent.
package struct Push: Sendable {
    private let three: ByteBuffer
    private let two: @Sendable () -> ByteBuffer

    /// - Parameter elements: The first says what it is, such as `voice`.
    package init(_ elements: [Reply]) {
        self.init(three: Self.wire(elements, .three)) { Self.wire(elements, .two) }
    }

    /// Any number of pushes that have wire form already, one behind the other.
    package init(three: ByteBuffer, two: @escaping @Sendable () -> ByteBuffer) {
        self.three = three
        self.two = two
    }

    func wire(_ version: RESPVersion) -> ByteBuffer {
        switch version {
        case .two: two()
        case .three: three
        }
    }

    private static func wire(_ elements: [Reply], _ version: RESPVersion) -> ByteBuffer {
        var wire = ByteBuffer()
        ReplyEncoder(version: version).encode(.push(elements), into: &wire)
        return wire
    }
}
