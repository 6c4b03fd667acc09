internal import CLibrdkafka
internal import Foundation
internal import Synchronization

/// What a producer's callers, its thread and librdkafka's callbacks share.
///
/// open → closing (``stop(deadline:continuation:)``) → closed (by the thread). Callers use the client under the lock
/// and only while open, so the thread, which alone uses it otherwise, is the one that drops it last.
internal final class ProducerCore: Sendable {
    fileprivate struct Waiter {
        let id: UInt64
        let continuation: CheckedContinuation<Result<Void, KafkaError>, Never>
    }

    fileprivate struct State {
        var client: LibrdkafkaClient?
        var inFlight: InFlight
        var deliveries: [UInt64: KafkaDelivery] = [:]
        var lastBatch: UInt64 = 0
        var lastWaiter: UInt64 = 0
        var waiters: [Waiter] = []
        /// Why no more messages are taken.
        var fault: KafkaError?
        /// Until when the thread may wait for acknowledgements; set once closing.
        var deadline: ContinuousClock.Instant?
        var closers: [CheckedContinuation<Int, Never>] = []
        /// Messages given up, once closed.
        var givenUp: Int?
    }

    /// A token is the batch's number and, in these bits, the message's index in it.
    private static let indexBits: UInt64 = 24

    private let state: Mutex<State>
    private let onEvent: @Sendable (KafkaEvent) -> Void

    private init(_ options: KafkaProducerOptions, onEvent: @escaping @Sendable (KafkaEvent) -> Void) {
        state = Mutex(State(inFlight: InFlight(messageLimit: options.messageLimit, byteLimit: options.byteLimit)))
        self.onEvent = onEvent
    }

    /// Starts the client and its thread.
    static func start(
        _ options: KafkaProducerOptions, onEvent: @escaping @Sendable (KafkaEvent) -> Void
    ) throws(KafkaError) -> ProducerCore {
        let core = ProducerCore(options, onEvent: onEvent)
        let client = try LibrdkafkaClient(settings: options.allSettings, core: core)
        core.state.withLock { $0.client = client }
        let thread = Thread { core.serve() }
        thread.name = "kafka"
        thread.start()
        return core
    }

    var queuedMessages: Int { state.withLock { $0.inFlight.messages } }

    // MARK: Callers

    /// Registers a batch and gives its number.
    func open(_ delivery: KafkaDelivery) -> UInt64 {
        state.withLock { state in
            state.lastBatch += 1
            state.deliveries[state.lastBatch] = delivery
            return state.lastBatch
        }
    }

    /// Hands over as many messages as there is room for and gives the rest.
    func produce(
        _ messages: [KafkaMessage], _ indices: Range<Int>, of batch: UInt64, to delivery: KafkaDelivery
    ) -> Range<Int> {
        var refused: [(Int, KafkaError)] = []
        let next = state.withLock { state in
            for index in indices {
                guard state.fault == nil, let client = state.client else {
                    refused += (index..<indices.upperBound).map { ($0, state.fault ?? .closed) }
                    return indices.upperBound
                }
                let message = messages[index]
                guard state.inFlight.admits(byteCount: message.byteCount) else { return index }
                switch client.produce(message, token: batch << Self.indexBits | UInt64(index)) {
                case RD_KAFKA_RESP_ERR_NO_ERROR: state.inFlight.handedOver(byteCount: message.byteCount)
                case RD_KAFKA_RESP_ERR__QUEUE_FULL: return index
                case let code:
                    let error = KafkaError(message: code, topic: message.topic, mayBeStored: false)
                    refused.append((index, error))
                }
            }
            return indices.upperBound
        }
        for (index, error) in refused { settle(index, of: batch, in: delivery, .failure(error)) }
        return next..<indices.upperBound
    }

    /// Gives up messages that were not handed over.
    func refuse(_ indices: Range<Int>, of batch: UInt64, in delivery: KafkaDelivery, _ error: KafkaError) {
        for index in indices { settle(index, of: batch, in: delivery, .failure(error)) }
    }

    /// Waits until half of the queue is free.
    func waitForRoom() async throws(KafkaError) {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let known = state.withLock { state -> Result<Void, KafkaError>? in
                    if Task.isCancelled { return .failure(.cancelled) }
                    if let fault = state.fault { return .failure(fault) }
                    if state.inFlight.hasRoom { return .success(()) }
                    state.waiters.append(Waiter(id: id, continuation: continuation))
                    return nil
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
            }
            waiter?.continuation.resume(returning: .failure(.cancelled))
        }
        try result.get()
    }

    /// Takes no more messages and lets the thread end by `deadline`; the earliest of several counts.
    func stop(deadline: ContinuousClock.Instant, continuation: CheckedContinuation<Int, Never>?) {
        let (waiters, givenUp) = state.withLock { state in
            if state.fault == nil { state.fault = .closed }
            state.deadline = min(deadline, state.deadline ?? deadline)
            if state.givenUp == nil, let continuation { state.closers.append(continuation) }
            return (state.takeWaiters(), state.givenUp)
        }
        for waiter in waiters { waiter.continuation.resume(returning: .failure(.closed)) }
        if let givenUp { continuation?.resume(returning: givenUp) }
    }

    private func settle(_ index: Int, of batch: UInt64, in delivery: KafkaDelivery, _ outcome: KafkaDelivery.Outcome) {
        if delivery.settle(index, outcome) { state.withLock { _ = $0.deliveries.removeValue(forKey: batch) } }
    }
}

// MARK: Callbacks

extension ProducerCore {
    /// A message reached its end. On the producer's thread.
    func delivered(_ report: DeliveryReport) {
        let batch = report.token >> Self.indexBits
        let index = Int(report.token & (1 << Self.indexBits - 1))
        let (delivery, waiters) = state.withLock { state in
            state.inFlight.settled(byteCount: report.byteCount)
            return (state.deliveries[batch], state.inFlight.hasRoom ? state.takeWaiters() : [])
        }
        if let delivery { settle(index, of: batch, in: delivery, report.outcome) }
        for waiter in waiters { waiter.continuation.resume(returning: .success(())) }
    }

    /// The client as a whole has a fault. On the producer's thread.
    func failed(_ error: KafkaError) {
        var waiters: [Waiter] = []
        if case .fatal = error {
            waiters = state.withLock { state in
                if state.deadline == nil { state.fault = error }
                return state.takeWaiters()
            }
        }
        for waiter in waiters { waiter.continuation.resume(returning: .failure(error)) }
        onEvent(.error(error))
    }

    /// On any thread of librdkafka's.
    func log(level: Int, _ facility: String, _ text: String) {
        onEvent(.log(level: level, facility: facility, text: text))
    }
}

// MARK: Thread

extension ProducerCore {
    /// The producer's thread: serves reports until it is to stop, then drains until the deadline and gives up the rest.
    private func serve() {
        var client = state.withLock { $0.client }
        while let now = client {
            guard let deadline = state.withLock({ $0.deadline }) else {
                now.poll(milliseconds: 100)
                continue
            }
            let left = KafkaProducerOptions.milliseconds(deadline - .now)
            if now.flush(milliseconds: min(left, 100)) || left == 0 { break }
        }
        let givenUp = queuedMessages
        if givenUp > 0, let client {
            client.purge()
            _ = client.flush(milliseconds: 1_000)
        }
        let open = state.withLock { state in
            state.client = nil
            return state.deliveries
        }
        client = nil  // the last reference: librdkafka's threads end here
        for (_, delivery) in open { delivery.abandon() }
        let closers = state.withLock { state in
            state.givenUp = givenUp
            state.deliveries = [:]
            defer { state.closers = [] }
            return state.closers
        }
        for closer in closers { closer.resume(returning: givenUp) }
    }
}

extension ProducerCore.State {
    fileprivate mutating func takeWaiters() -> [ProducerCore.Waiter] {
        defer { waiters = [] }
        return waiters
    }
}
