import CLibrdkafka
import KafkaClient
import Testing

@Suite("Kafka producer: refusals and the end", .timeLimit(.minutes(5)))
struct KafkaProducerFaultTests {
    @Test("nobody listens: an event says so, close keeps its deadline and counts what it gives up")
    func unreachable() async throws {
        let events = Events()
        let producer = try KafkaProducer(
            KafkaProducerOptions(brokers: ["127.0.0.1:1"], clientID: "test"), onEvent: { events.append($0) })
        let delivery = await producer.enqueue(messages(0..<5))
        #expect(try await eventually { !events.all.isEmpty })
        #expect(
            events.all.allSatisfy {
                if case .unreachable = $0 { true } else { false }
            }, "\(events.all)")
        #expect(await producer.close(within: .milliseconds(300)) == 5)
        #expect(await delivery.outcomes() == Array(repeating: .failure(.closed), count: 5))
        #expect(await producer.close(within: .zero) == 5)
        #expect(await producer.enqueue(messages(0..<1)).outcomes() == [.failure(.closed)])
    }

    @Test("a caller that waits for room is told when the producer closes")
    func closeWhileWaiting() async throws {
        var options = KafkaProducerOptions(brokers: ["127.0.0.1:1"], clientID: "test")
        options.messageLimit = 2
        let producer = try KafkaProducer(options)
        async let delivery = producer.enqueue(messages(0..<5))
        #expect(try await eventually { producer.queuedMessages == 2 })
        #expect(await producer.close(within: .zero) == 2)
        #expect(await delivery.outcomes() == Array(repeating: .failure(.closed), count: 5))
    }

    @Test("a message too large is refused alone")
    func tooLarge() async throws {
        let kafka = try MockKafka()
        try kafka.createTopic("calls", partitions: 1)
        var options = KafkaProducerOptions(brokers: kafka.brokers, clientID: "test")
        options.byteLimit = 1_000
        options.settings = ["message.max.bytes": "10000"]
        let producer = try KafkaProducer(options)
        let sizes = [10, 20_000, 5_000, 10]
        let outcomes = await producer.enqueue(
            sizes.map { KafkaMessage(topic: "calls", key: nil, value: Array(repeating: 0x61, count: $0)) }
        ).outcomes()
        #expect(outcomes.map { (try? $0.get())?.offset } == [0, nil, 1, 2])
        #expect(outcomes[1] == .failure(.messageTooLarge))
        await #expect(throws: KafkaError.messageTooLarge) {
            try await producer.send([
                KafkaMessage(topic: "calls", key: nil, value: Array(repeating: 0x61, count: 20_000))
            ])
        }
        #expect(await producer.close(within: .seconds(60)) == 0)
    }

    @Test("a delivery that may not wait for ever fails by its time")
    func timeout() async throws {
        var options = KafkaProducerOptions(brokers: ["127.0.0.1:1"], clientID: "test")
        options.deliveryTimeout = .milliseconds(50)
        let producer = try KafkaProducer(options)
        let outcomes = await producer.enqueue(messages(0..<1)).outcomes()
        guard case .failure(.undelivered(code: "_MSG_TIMED_OUT", message: _, mayBeStored: false)) = outcomes.first
        else {
            Issue.record("\(outcomes)")
            return
        }
        #expect(await producer.close(within: .seconds(60)) == 0)
    }

    @Test("a broker that rules out order ends the producer, and callers learn why")
    func fatal() async throws {
        let kafka = try MockKafka()
        try kafka.createTopic("calls", partitions: 1)
        let events = Events()
        let producer = try KafkaProducer(
            KafkaProducerOptions(brokers: kafka.brokers, clientID: "test"), onEvent: { events.append($0) })
        try await producer.send(messages(0..<1))
        kafka.failProduce(with: [RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER])
        let outcomes = await producer.enqueue(messages(1..<2)).outcomes()
        #expect((try? outcomes.first?.get()) == nil, "\(outcomes)")
        #expect(try await eventually { !events.all.isEmpty })
        let fatal = try #require(events.all.first)
        guard case .fatal(code: "OUT_OF_ORDER_SEQUENCE_NUMBER", message: _) = fatal else {
            Issue.record("\(fatal)")
            return
        }
        #expect(await producer.enqueue(messages(2..<3)).outcomes() == [.failure(fatal)])
        await producer.close(within: .seconds(1))
    }

    @Test(
        "wrong settings are refused by name",
        arguments: [("no.such.setting", "1"), ("client.dns.lookup", "never"), ("acks", "7000")])
    func configuration(key: String, value: String) {
        var options = KafkaProducerOptions(brokers: ["127.0.0.1:1"], clientID: "test")
        options.settings = [key: value]
        do {
            _ = try KafkaProducer(options)
            Issue.record("accepted")
        } catch {
            guard case .configuration(key, let message) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(message.contains(key))
        }
    }

    @Test("settings that do not go together are refused, a dropped producer frees everything")
    func ownership() async throws {
        var options = KafkaProducerOptions(brokers: ["127.0.0.1:1"], clientID: "test")
        options.settings = ["acks": "1"]
        #expect(throws: KafkaError.self) { try KafkaProducer(options) }

        weak var events: Events?
        do {
            let kept = Events()
            events = kept
            let producer = try KafkaProducer(
                KafkaProducerOptions(brokers: ["127.0.0.1:1"], clientID: "test"), onEvent: { kept.append($0) })
            _ = await producer.enqueue(messages(0..<3))
        }
        #expect(try await eventually { events == nil })
    }
}
