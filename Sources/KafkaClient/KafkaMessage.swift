/// What is handed to Kafka.
package struct KafkaMessage: Hashable, Sendable {
    package var topic: String
    /// Messages with the same key go to the same partition and keep their order; without key any partition is taken.
    package var key: [UInt8]?
    package var value: [UInt8]
    /// Milliseconds since 1970; nil is the time of sending.
    package var timestampMilliseconds: Int64?

    package init(topic: String, key: [UInt8]?, value: [UInt8], timestampMilliseconds: Int64? = nil) {
        self.topic = topic
        self.key = key
        self.value = value
        self.timestampMilliseconds = timestampMilliseconds
    }

    internal var byteCount: Int { (key?.count ?? 0) + value.count }
}

/// Where the brokers stored a message.
package struct KafkaReceipt: Hashable, Sendable {
    package let partition: Int32
    package let offset: Int64

    package init(partition: Int32, offset: Int64) {
        self.partition = partition
        self.offset = offset
    }
}
