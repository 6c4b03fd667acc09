package import NIOCore

/// One command as it goes to a Redis server: `*<words>\r\n` and the words as bulk strings.
///
/// The words stand in a head and in any number of runs behind it, which are written to the socket one after the other
/// without being joined: a batch of entries taken from a reply travels in the buffer it came in.
package struct RedisCommand: Hashable, Sendable {
    /// `*<words>\r\n` and the first words.
    package let head: ByteBuffer
    /// The words behind those of `head`.
    package let runs: [BulkStrings]
    /// How long the server itself may wait before it answers (`XREAD BLOCK`, `WAIT`); added to the time an answer may
    /// take. Zero for all other commands.
    package var blockTime: Duration = .zero

    /// A command of words in UTF-8.
    package init(_ words: String...) {
        self.init(words: words, runs: [])
    }

    /// A command of words in UTF-8 and, behind them, the strings of `runs` in order.
    package init(_ words: [String], _ runs: BulkStrings...) {
        self.init(words: words, runs: runs)
    }

    /// A command of words in UTF-8 and, behind them, the strings of `runs` in order.
    package init(words: [String], runs: [BulkStrings]) {
        var count = words.count
        var byteCount = 16
        for word in words { byteCount += word.utf8.count + 16 }
        for run in runs { count += run.count }

        var strings = BulkStrings(capacity: byteCount)
        strings.appendArrayHeader(count: count)
        for word in words { strings.append(word) }
        head = strings.buffer
        self.runs = runs
    }

    /// The same command, which the server may keep waiting for `time` before it answers.
    package func blocking(for time: Duration) -> RedisCommand {
        var command = self
        command.blockTime = time
        return command
    }

    /// Bytes on the wire.
    package var byteCount: Int {
        runs.reduce(head.readableBytes) { $0 + $1.byteCount }
    }
}
