package import RESP
package import NIOCore

/// What is sent without being asked for, in wire form: made once, sent to any number of clients.
package struct Push: Sendable {
    private let two: ByteBuffer
    private let three: ByteBuffer

    /// - Parameter elements: The first says what it is, such as `voice`.
    package init(_ elements: [Reply]) {
        var two = ByteBuffer()
        var three = ByteBuffer()
        ReplyEncoder(version: .two).encode(.push(elements), into: &two)
        ReplyEncoder(version: .three).encode(.push(elements), into: &three)
        self.two = two
        self.three = three
    }

    /// Any number of pushes that have wire form already, one behind the other.
    package init(two: ByteBuffer, three: ByteBuffer) {
        self.two = two
        self.three = three
    }

    func wire(_ version: RESPVersion) -> ByteBuffer {
        switch version {
        case .two: two
        case .three: three
        }
    }
}
