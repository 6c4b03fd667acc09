internal import Journal
internal import NIOCore
internal import RESP
internal import RESPServer

extension Push {
    /// `[voice, watch, region, id, fields]` for each entry; without a chunk `[voice, watch, region, STALE, null]`: events of
    /// the region may be missing, or are no more.
    init(voice chunk: EntryChunk?, watch: Int64, region: String) {
        self.init(three: Self.news(chunk, watch, region, .three)) { Self.news(chunk, watch, region, .two) }
    }

    private static func news(
        _ chunk: EntryChunk?, _ watch: Int64, _ region: String, _ version: RESPVersion
    ) -> ByteBuffer {
        let (mark, null) = version == .three ? (">", "_") : ("*", "$-1")
        let head = "\(mark)5\r\n$5\r\nvoice\r\n:\(watch)\r\n$\(region.utf8.count)\r\n\(region)\r\n"
        var wire = ByteBuffer()
        guard let chunk else {
            wire.writeString("\(head)$5\r\nSTALE\r\n\(null)\r\n")
            return wire
        }
        let parts = chunk.parts
        wire.reserveCapacity(chunk.wire.readableBytes + parts.count * head.utf8.count)
        for part in parts {
            wire.writeString(head)
            wire.writeImmutableBuffer(part.wire)
        }
        return wire
    }
}

extension Reply {
    static let noWatch = Reply.error("NOTFOUND", "no such watch")
}
