internal import Journal
internal import NIOCore
internal import RESP
internal import RedisClient

/// What is written: `event`, `key`, `data`, together about 300 bytes; `key` is when it was sent, in nanoseconds.
enum LoadEntry {
    private static let fields: BulkStrings = {
        var strings = BulkStrings()
        for word in ["*", "event", "EventUserEvent", "key"] { strings.append(word) }
        return strings
    }()

    private static let data: BulkStrings = {
        var strings = BulkStrings()
        strings.append("data")
        let head = #"{"UserData":{"note":""#
        let tail = #""}}"#
        strings.append(head + String(repeating: "0123456789abcdef", count: 15) + tail)
        return strings
    }()

    /// `XADD` of one entry to `stream`.
    static func append(to stream: String, sentAt: Int64) -> RedisCommand {
        var sent = BulkStrings(capacity: 32)
        sent.append(integer: sentAt)
        return RedisCommand(words: ["XADD", stream], runs: [fields, sent, data])
    }

    /// When the entries of one stream's read were sent; nil if one of them was not written here.
    static func sentTimes(in list: RedisReply) -> [Int64]? {
        var times: [Int64] = []
        times.reserveCapacity(list.count)
        for entry in list.elements {
            guard let text = entry[1]?[3]?.string, let time = Int64(text) else { return nil }
            times.append(time)
        }
        return times
    }
}
