internal import NIOCore

/// Replies that were parsed together: one list of nodes and one buffer of strings, nothing an element.
///
/// Nodes stand in reply order, an array before its elements, each reply behind the one before it. Strings stand in the
/// same order in wire form and without gaps, so that the strings of any run of nodes are one slice.
final class ReplyArena: Sendable {
    let nodes: [Node]
    let strings: ByteBuffer

    init(nodes: [Node], strings: ByteBuffer) {
        self.nodes = nodes
        self.strings = strings
    }

    /// Where the strings of the nodes from `index` on begin, in bytes; the end of all strings behind the last node.
    func offset(of index: Int) -> Int {
        index < nodes.count ? Int(nodes[index].offset) : strings.writerIndex
    }

    /// The wire form of the strings of these nodes.
    func wire(of range: Range<Int>) -> ByteBuffer {
        let start = offset(of: range.lowerBound)
        return strings.getSlice(at: start, length: offset(of: range.upperBound) - start) ?? ByteBuffer()
    }

    /// The bytes of the string at `index`, without header and end.
    func payload(of index: Int) -> Range<Int> {
        let end = offset(of: index + 1) - 2
        return end - nodes[index].byteCount..<end
    }
}

/// One element of a reply, 16 bytes.
struct Node: Sendable {
    enum Kind: UInt8, Sendable {
        case string, status, error, integer, null, array
    }

    /// Strings: bytes without header and end. Integers: the number. Arrays: elements, and the index behind the subtree in
    /// the upper half. Null: 0.
    private var value: Int64
    /// Where the subtree's strings begin in the arena.
    var offset: UInt32
    let kind: Kind

    static func string(_ kind: Kind, byteCount: Int, offset: Int) -> Node {
        Node(value: Int64(byteCount), offset: UInt32(truncatingIfNeeded: offset), kind: kind)
    }

    static func integer(_ value: Int64, offset: Int) -> Node {
        Node(value: value, offset: UInt32(truncatingIfNeeded: offset), kind: .integer)
    }

    static func null(offset: Int) -> Node {
        Node(value: 0, offset: UInt32(truncatingIfNeeded: offset), kind: .null)
    }

    /// An array of `count` elements; `end` is known when the last of them is there.
    static func array(count: Int32, end: Int, offset: Int) -> Node {
        var node = Node(value: Int64(count), offset: UInt32(truncatingIfNeeded: offset), kind: .array)
        node.close(at: end)
        return node
    }

    var integer: Int64 { value }
    var byteCount: Int { Int(value) }
    var elementCount: Int { Int(value & 0xffff_ffff) }

    /// The index behind the subtree of the node at `index`.
    func end(at index: Int) -> Int {
        kind == .array ? Int(value >> 32) : index + 1
    }

    mutating func close(at end: Int) {
        value = value & 0xffff_ffff | Int64(end) << 32
    }

    /// The node in an arena that begins with what stood at `index` and `offset` here.
    func rebased(index: Int, offset: Int) -> Node {
        var node = self
        node.offset -= UInt32(truncatingIfNeeded: offset)
        if kind == .array { node.close(at: Int(value >> 32) - index) }
        return node
    }
}
