import CLibrdkafka
import Foundation
import Testing

/// librdkafka's mock cluster: brokers on loopback ports inside this process, on threads of their own.
final class MockKafka: @unchecked Sendable {
    struct Stored: Hashable {
        let partition: Int32
        let offset: Int64
        let key: String?
        let value: String
        let timestamp: Int64
    }

    private let client: OpaquePointer
    private let cluster: OpaquePointer
    let brokers: [String]

    init(brokers count: Int32 = 1) throws {
        let configuration = rd_kafka_conf_new()
        // Errors the tests provoke are reported by the producers under test; the cluster itself stays silent.
        rd_kafka_conf_set_log_cb(configuration) { _, _, _, _ in }
        client = try #require(rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0))
        cluster = try #require(rd_kafka_mock_cluster_new(client, count))
        brokers = String(cString: rd_kafka_mock_cluster_bootstraps(cluster)).split(separator: ",").map(String.init)
    }

    deinit {
        rd_kafka_mock_cluster_destroy(cluster)
        rd_kafka_destroy(client)
    }

    func createTopic(_ name: String, partitions: Int32) throws {
        try #require(rd_kafka_mock_topic_create(cluster, name, partitions, 1) == RD_KAFKA_RESP_ERR_NO_ERROR)
    }

    /// The next produce requests fail with these, one each.
    func failProduce(with errors: [rd_kafka_resp_err_t]) {
        let produceKey: Int16 = 0  // ApiKey of Produce in Kafka's protocol guide
        rd_kafka_mock_push_request_errors_array(cluster, produceKey, errors.count, errors)
    }

    func takeDown(broker: Int32 = 1) { rd_kafka_mock_broker_set_down(cluster, broker) }

    func bringUp(broker: Int32 = 1) { rd_kafka_mock_broker_set_up(cluster, broker) }

    /// Everything stored in a topic, partition after partition, by a consumer from the beginning to the end.
    func contents(of topic: String, partitions: Int32) async throws -> [Stored] {
        try await withCheckedThrowingContinuation { continuation in
            Thread { continuation.resume(with: Result { try self.read(topic, partitions) }) }.start()
        }
    }

    private func read(_ topic: String, _ partitions: Int32) throws -> [Stored] {
        let configuration = rd_kafka_conf_new()
        for (key, value) in [
            ("bootstrap.servers", brokers.joined(separator: ",")), ("group.id", "test"),
            ("enable.partition.eof", "true"), ("enable.auto.commit", "false"),
        ] { rd_kafka_conf_set(configuration, key, value, nil, 0) }
        let consumer = try #require(rd_kafka_new(RD_KAFKA_CONSUMER, configuration, nil, 0))
        defer { rd_kafka_destroy(consumer) }
        let list = try #require(rd_kafka_topic_partition_list_new(partitions))
        defer { rd_kafka_topic_partition_list_destroy(list) }
        for partition in 0..<partitions {
            rd_kafka_topic_partition_list_add(list, topic, partition).pointee.offset = Int64(RD_KAFKA_OFFSET_BEGINNING)
        }
        try #require(rd_kafka_assign(consumer, list) == RD_KAFKA_RESP_ERR_NO_ERROR)
        var stored: [Stored] = []
        var ended: Set<Int32> = []
        let deadline = Date.now.addingTimeInterval(60)
        while ended.count < partitions {
            try #require(Date.now < deadline, "partitions read to their end: \(ended)")
            guard let message = rd_kafka_consumer_poll(consumer, 1_000) else { continue }
            defer { rd_kafka_message_destroy(message) }
            switch message.pointee.err {
            case RD_KAFKA_RESP_ERR_NO_ERROR:
                ended.remove(message.pointee.partition)
                stored.append(Stored(message.pointee, timestamp: rd_kafka_message_timestamp(message, nil)))
            case RD_KAFKA_RESP_ERR__PARTITION_EOF: ended.insert(message.pointee.partition)
            default: continue
            }
        }
        return stored.sorted { ($0.partition, $0.offset) < ($1.partition, $1.offset) }
    }
}

extension MockKafka.Stored {
    fileprivate init(_ message: rd_kafka_message_t, timestamp: Int64) {
        partition = message.partition
        offset = message.offset
        key = message.key.map { Self.string($0, message.key_len) }
        value = message.payload.map { Self.string($0, message.len) } ?? ""
        self.timestamp = timestamp
    }

    private static func string(_ start: UnsafeMutableRawPointer, _ count: Int) -> String {
        String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
    }
}
