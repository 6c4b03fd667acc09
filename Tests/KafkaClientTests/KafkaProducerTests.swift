import CLibrdkafka
import KafkaClient
import Testing

@Suite("Kafka producer against mock brokers", .timeLimit(.minutes(5)))
struct KafkaProducerTests {
    @Test("10,000 messages are acknowledged once each, in order, where the receipts say")
    func producesInOrder() async throws {
        let kafka = try MockKafka(brokers: 3)
        try kafka.createTopic("calls", partitions: 4)
        let producer = try KafkaProducer(KafkaProducerOptions(brokers: kafka.brokers, clientID: "test"))
        var deliveries: [KafkaDelivery] = []
        for start in stride(from: 0, to: 10_000, by: 500) {
            deliveries.append(await producer.enqueue(messages(start..<start + 500)))
        }
        var receipts: [KafkaReceipt] = []
        for delivery in deliveries { receipts += try await delivery.receipts() }
        #expect(producer.queuedMessages == 0)
        #expect(await producer.close(within: .seconds(60)) == 0)

        let stored = try await kafka.contents(of: "calls", partitions: 4)
        expectExactlyOnce(stored, count: 10_000)
        #expect(Set(stored.map(\.partition)).count == 4)
        let places = Dictionary(stored.map { ($0.value, KafkaReceipt(partition: $0.partition, offset: $0.offset)) }) {
            first, _ in first
        }
        for (number, receipt) in receipts.enumerated() where places["\(number)"] != receipt {
            Issue.record("\(number) acknowledged at \(receipt), stored at \(String(describing: places["\(number)"]))")
        }
    }

    @Test("keys, no keys, empty values and times arrive as they were given")
    func content() async throws {
        let kafka = try MockKafka()
        try kafka.createTopic("calls", partitions: 1)
        let producer = try KafkaProducer(KafkaProducerOptions(brokers: kafka.brokers, clientID: "test"))
        try await producer.send([
            KafkaMessage(topic: "calls", key: Array("k".utf8), value: Array("ü".utf8), timestampMilliseconds: 1_234),
            KafkaMessage(topic: "calls", key: nil, value: Array("no key".utf8)),
            KafkaMessage(topic: "calls", key: [], value: []),
        ])
        #expect(await producer.close(within: .seconds(60)) == 0)
        let stored = try await kafka.contents(of: "calls", partitions: 1)
        #expect(stored.map(\.key) == ["k", nil, ""])
        #expect(stored.map(\.value) == ["ü", "no key", ""])
        #expect(stored.first?.timestamp == 1_234)
        #expect(try #require(stored.last).timestamp > 1_600_000_000_000)
    }

    @Test("errors of brokers are retried: nothing lost, nothing twice, order kept")
    func retries() async throws {
        let kafka = try MockKafka()
        try kafka.createTopic("calls", partitions: 2)
        var options = KafkaProducerOptions(brokers: kafka.brokers, clientID: "test")
        // Mock brokers do not drop repeats by sequence number as real ones do. With one request at a time none is stored
        // whose answer gets lost, and each retry is one this side is answerable for.
        options.settings = [
            "retry.backoff.ms": "10", "batch.num.messages": "100", "max.in.flight.requests.per.connection": "1",
        ]
        let producer = try KafkaProducer(options)
        kafka.failProduce(with: [
            RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        ])
        let first = await producer.enqueue(messages(0..<1_000))
        #expect(try await first.receipts().count == 1_000)
        kafka.failProduce(with: [
            RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            RD_KAFKA_RESP_ERR__TRANSPORT,
        ])
        let second = await producer.enqueue(messages(1_000..<2_000))
        #expect(try await second.receipts().count == 1_000)
        #expect(await producer.close(within: .seconds(60)) == 0)
        expectExactlyOnce(try await kafka.contents(of: "calls", partitions: 2), count: 2_000)
    }

    @Test("a broker that is down fills the queue, then callers wait until it is back")
    func backPressure() async throws {
        let kafka = try MockKafka()
        try kafka.createTopic("calls", partitions: 2)
        var options = KafkaProducerOptions(brokers: kafka.brokers, clientID: "test")
        options.messageLimit = 100
        let events = Events()
        let producer = try KafkaProducer(options, onEvent: { events.append($0) })
        try await producer.send(messages(0..<1))
        kafka.takeDown()
        #expect(try await eventually { !events.all.isEmpty })
        let isHandedOver = Flag()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let delivery = await producer.enqueue(messages(1..<1_000))
                isHandedOver.raise()
                let receipts = try await delivery.receipts()
                #expect(receipts.count == 999)
            }
            // While the broker is down nothing leaves the queue, so that one that is just full is never overrun.
            #expect(try await eventually { producer.queuedMessages >= 100 })
            #expect(producer.queuedMessages == 100)
            #expect(!isHandedOver.isRaised)
            kafka.bringUp()
            try await group.waitForAll()
        }
        #expect(await producer.close(within: .seconds(60)) == 0)
        expectExactlyOnce(try await kafka.contents(of: "calls", partitions: 2), count: 1_000)
    }

    @Test("a cancelled caller stops waiting; what it handed over is still delivered")
    func cancellation() async throws {
        let kafka = try MockKafka()
        try kafka.createTopic("calls", partitions: 1)
        var options = KafkaProducerOptions(brokers: kafka.brokers, clientID: "test")
        options.messageLimit = 10
        let producer = try KafkaProducer(options)
        kafka.takeDown()
        let delivery = try await withThrowingTaskGroup(of: KafkaDelivery.self) { group in
            group.addTask { await producer.enqueue(messages(0..<50)) }
            #expect(try await eventually { producer.queuedMessages == 10 })
            group.cancelAll()
            return try #require(try await group.next())
        }
        kafka.bringUp()
        let outcomes = await delivery.outcomes()
        #expect(outcomes.prefix(10).allSatisfy { (try? $0.get()) != nil })
        #expect(outcomes.dropFirst(10).allSatisfy { $0 == .failure(.cancelled) })
        #expect(await producer.close(within: .seconds(60)) == 0)
        expectExactlyOnce(try await kafka.contents(of: "calls", partitions: 1), count: 10)
    }
}
