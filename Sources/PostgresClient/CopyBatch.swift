/// CopyData messages that arrived together, in order, in one buffer.
package struct CopyBatch: Sendable {
    /// The payloads end to end. Of a replication stream: what `ReplicationFrame` reads; of COPY TO: one row each.
    package var bytes: [UInt8] = []
    /// Where each message stands in `bytes`.
    package internal(set) var messages: [Range<Int>] = []

    /// The time-out came first.
    package var isEmpty: Bool { messages.isEmpty }

    mutating func append(_ message: UnsafeRawBufferPointer) {
        let start = bytes.count
        unsafe bytes.append(contentsOf: message)
        messages.append(start..<bytes.count)
    }
}
