/// How a link to one peer works.
package struct MirrorSettings: Sendable {
    /// The region whose journals are shipped.
    package let region: String
    package let peer: String
    /// Bytes read and not yet acknowledged, at most: at least bandwidth × round trip, or a far peer starves.
    package let windowBytes: Int
    /// Streams that one connection reads at a time.
    package let journalsPerReader: Int
    /// Entries in one append at most; bounds how long the peer's Redis is busy with it (about 4 µs each).
    package let batchEntries: Int
    /// Bytes that one read may bring, at most about.
    package let readBytes: Int
    /// How long a read waits for entries before it is asked again.
    package let blockTime: Duration
    /// Longest pause between two attempts to connect. With the time that one attempt may take (the endpoint's connect
    /// time-out, 1 s) it bounds how long a healed link is not used: that is to be below 2 s.
    package let longestPause: Duration

    /// One read's answer at most. Reads are asked for far less; entries of unforeseen size may not take all memory.
    var replyBytes: Int { max(windowBytes, 64 << 20) }

    package init(
        region: String, peer: String, windowBytes: Int = 8 << 20, journalsPerReader: Int = 16, batchEntries: Int = 512,
        readBytes: Int = 1 << 19, blockTime: Duration = .seconds(1),
        longestPause: Duration = .milliseconds(500)
    ) {
        self.region = region
        self.peer = peer
        self.windowBytes = windowBytes
        self.journalsPerReader = journalsPerReader
        self.batchEntries = batchEntries
        self.readBytes = readBytes
        self.blockTime = blockTime
        self.longestPause = longestPause
    }

    /// The pause before attempt number `attempt`, with jitter, so that links do not come back in step.
    func pause(attempt: Int) -> Duration {
        let milliseconds = 10 << min(attempt, 10)
        return min(longestPause, .milliseconds(milliseconds)) * Double.random(in: 0.5...1)
    }
}
