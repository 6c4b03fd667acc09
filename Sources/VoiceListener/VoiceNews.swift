internal import Journal
internal import NIOCore
internal import RESP
internal import RESPServer

extension Push {
    /// `[voice, watch, region, id, fields]` for each entry; without a chunk `[voice, watch, region, STALE, null]`: events of
    /// the region may be missing, or are no more.
    init(voice chunk: EntryChunk?, watch: Int64, region: String) {
        let head = "5\r\n$5\r\nvoice\r\n:\(watch)\r\n$\(region.utf8.count)\r\n\(region)\r\n"
        var (two, three) = (ByteBuffer(), ByteBuffer())
        guard let chunk else {
            two.writeString("*\(head)$5\r\nSTALE\r\n$-1\r\n")
            three.writeString(">\(head)$5\r\nSTALE\r\n_\r\n")
            self.init(two: two, three: three)
            return
        }
        let parts = chunk.parts
        let room = chunk.wire.readableBytes + parts.count * (head.utf8.count + 1)
        two.reserveCapacity(room)
        three.reserveCapacity(room)
        for part in parts {
            two.writeString("*\(head)")
            two.writeImmutableBuffer(part.wire)
            three.writeString(">\(head)")
            three.writeImmutableBuffer(part.wire)
        }
        self.init(two: two, three: three)
    }
}

extension Reply {
    static let noWatch = Reply.error("NOTFOUND", "no such watch")
}
