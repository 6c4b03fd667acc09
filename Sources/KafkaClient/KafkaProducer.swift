/// An idempotent producer: messages with one key arrive once and in the order in which they were handed over.
///
/// librdkafka keeps its own threads and connections and reconnects by itself; one more thread, ours, serves delivery
/// reports. Close it: a producer that is dropped gives up what is not acknowledged.
package final class KafkaProducer: Sendable {
    private let core: ProducerCore

    /// Starts a producer; brokers need not be reachable yet. `onEvent` is called from librdkafka's threads and must not
    /// block.
    ///
    /// - Throws: ``KafkaError/configuration(key:message:)``.
    package init(
        _ options: KafkaProducerOptions, onEvent: @escaping @Sendable (KafkaEvent) -> Void = { _ in }
    ) throws(KafkaError) {
        core = try ProducerCore.start(options, onEvent: onEvent)
    }

    deinit { core.stop(deadline: .now, continuation: nil) }

    /// Hands messages over in their order and returns once all are in the bounded queue; while it is full the caller
    /// waits. A message that cannot be handed over (too large; the producer closed or broken; the task cancelled while
    /// waiting) has that as its outcome. Messages of callers at the same time may mix.
    package func enqueue(_ messages: [KafkaMessage]) async -> KafkaDelivery {
        let delivery = KafkaDelivery(count: messages.count)
        guard !messages.isEmpty else { return delivery }
        let batch = core.open(delivery)
        var rest = messages.indices
        while !rest.isEmpty {
            rest = core.produce(messages, rest, of: batch, to: delivery)
            guard !rest.isEmpty else { break }
            do {
                try await core.waitForRoom()
            } catch {
                core.refuse(rest, of: batch, in: delivery, error)
                break
            }
        }
        return delivery
    }

    /// Hands messages over and waits until the brokers have acknowledged each; throws what became of the first that
    /// was not.
    @discardableResult
    package func send(_ messages: [KafkaMessage]) async throws(KafkaError) -> [KafkaReceipt] {
        try await enqueue(messages).receipts()
    }

    /// Messages handed over and not yet acknowledged.
    package var queuedMessages: Int { core.queuedMessages }

    /// Takes no more messages, waits up to `limit` for acknowledgements, gives up the rest and frees everything.
    ///
    /// - Returns: how many messages were given up.
    @discardableResult
    package func close(within limit: Duration) async -> Int {
        await withCheckedContinuation { core.stop(deadline: .now + limit, continuation: $0) }
    }
}

/// Something a producer tells beside delivery reports.
package enum KafkaEvent: Hashable, Sendable {
    /// It goes on by itself, except after ``KafkaError/fatal(code:message:)``.
    case error(KafkaError)
    /// A line of librdkafka's log; `level` as in syslog(3), 0…7, smaller is worse.
    case log(level: Int, facility: String, text: String)
}
