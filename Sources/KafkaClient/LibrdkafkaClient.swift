internal import CLibrdkafka
internal import Synchronization

/// One `rd_kafka_t` of a producer and the only place where librdkafka is called with it.
///
/// librdkafka's functions may be called from any thread at once, so the reference may be shared; the last one to drop
/// it blocks while librdkafka ends its threads. That is the reason for the unchecked conformance: the pointer is set once
/// and librdkafka does its own locking.
@safe internal final class LibrdkafkaClient: @unchecked Sendable {
    private let pointer: OpaquePointer
    private let core: ProducerCore

    /// Starts librdkafka's threads. Callbacks go to `core`, which lives at least as long as the client.
    init(settings: [String: String], core: ProducerCore) throws(KafkaError) {
        let configuration = LibrdkafkaConfiguration()
        for (key, value) in settings.sorted(by: { $0.key < $1.key }) { try configuration.set(key, value) }
        unsafe rd_kafka_conf_set_opaque(configuration.pointer, Unmanaged.passUnretained(core).toOpaque())
        unsafe rd_kafka_conf_set_dr_msg_cb(configuration.pointer) { _, message, opaque in
            guard let message = unsafe message, let opaque = unsafe opaque else { return }
            unsafe ProducerCore.of(opaque).delivered(DeliveryReport(message.pointee))
        }
        unsafe rd_kafka_conf_set_error_cb(configuration.pointer) { client, code, reason, opaque in
            guard let client = unsafe client, let opaque = unsafe opaque else { return }
            let error = unsafe KafkaError(client: client, code: code, reason: reason)
            unsafe ProducerCore.of(opaque).failed(error)
        }
        unsafe rd_kafka_conf_set_log_cb(configuration.pointer) { client, level, facility, text in
            guard let client = unsafe client, let opaque = unsafe rd_kafka_opaque(client), let text = unsafe text else {
                return
            }
            let facility = unsafe facility.map { unsafe String(cString: $0) } ?? ""
            unsafe ProducerCore.of(opaque).log(level: Int(level), facility, String(cString: text))
        }
        unsafe pointer = try configuration.start()
        self.core = core
    }

    deinit {
        unsafe rd_kafka_destroy(pointer)  // no callback after this; `core` goes next
    }

    /// Copies one message into the queue. Does not block.
    func produce(_ message: KafkaMessage, token: UInt64) -> rd_kafka_resp_err_t {
        let opaque = unsafe UnsafeMutableRawPointer(bitPattern: UInt(token))
        return unsafe message.value.withUnsafeBytes { value in
            guard let key = message.key else {
                return unsafe clibrdkafka_produce(
                    pointer, message.topic, nil, 0, value.baseAddress, value.count,
                    message.timestampMilliseconds ?? 0, opaque)
            }
            return unsafe key.withUnsafeBytes { key in
                unsafe clibrdkafka_produce(
                    pointer, message.topic, key.baseAddress ?? Self.empty, key.count, value.baseAddress, value.count,
                    message.timestampMilliseconds ?? 0, opaque)
            }
        }
    }

    /// Serves callbacks on this thread, waiting up to `milliseconds` for the first.
    func poll(milliseconds: Int32) {
        _ = unsafe rd_kafka_poll(pointer, milliseconds)
    }

    /// Sends at once what is queued, serving callbacks; true when all is acknowledged.
    func flush(milliseconds: Int32) -> Bool {
        unsafe rd_kafka_flush(pointer, milliseconds) == RD_KAFKA_RESP_ERR_NO_ERROR
    }

    /// Gives up all messages; their reports come with the next ``poll(milliseconds:)``.
    func purge() {
        _ = unsafe rd_kafka_purge(pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
    }

    /// The address of a key of no bytes, which is not the same as no key. Never read from.
    private static var empty: UnsafeRawPointer? { unsafe UnsafeRawPointer(bitPattern: 1) }
}

/// Settings under construction.
@safe private struct LibrdkafkaConfiguration: ~Copyable {
    let pointer: OpaquePointer? = unsafe rd_kafka_conf_new()

    deinit { unsafe rd_kafka_conf_destroy(pointer) }

    func set(_ key: String, _ value: String) throws(KafkaError) {
        var text = [CChar](repeating: 0, count: 512)
        guard unsafe rd_kafka_conf_set(pointer, key, value, &text, text.count) == RD_KAFKA_CONF_OK else {
            throw .configuration(key: key, message: Self.string(text))
        }
    }

    /// Makes the client from a copy: librdkafka takes ownership of the settings only when it succeeds.
    func start() throws(KafkaError) -> OpaquePointer {
        var text = [CChar](repeating: 0, count: 512)
        let copy = unsafe rd_kafka_conf_dup(pointer)
        guard let client = unsafe rd_kafka_new(RD_KAFKA_PRODUCER, copy, &text, text.count) else {
            unsafe rd_kafka_conf_destroy(copy)
            throw .configuration(key: nil, message: Self.string(text))
        }
        return unsafe client
    }

    private static func string(_ text: [CChar]) -> String {
        String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// What librdkafka reports of one message.
internal struct DeliveryReport {
    let token: UInt64
    let byteCount: Int
    let outcome: KafkaDelivery.Outcome

    init(_ message: rd_kafka_message_t) {
        unsafe token = UInt64(UInt(bitPattern: message._private))
        unsafe byteCount = message.len + message.key_len
        if unsafe message.err == RD_KAFKA_RESP_ERR_NO_ERROR {
            unsafe outcome = .success(KafkaReceipt(partition: message.partition, offset: message.offset))
        } else {
            var copy = unsafe message
            let status = unsafe rd_kafka_message_status(&copy)
            let topic = unsafe message.rkt.map { unsafe String(cString: rd_kafka_topic_name($0)) } ?? ""
            unsafe outcome = .failure(
                KafkaError(
                    message: message.err, topic: topic,
                    mayBeStored: status != RD_KAFKA_MSG_STATUS_NOT_PERSISTED))
        }
    }
}

extension KafkaError {
    /// What the error callback was told; a fatal error hides the true one behind it.
    fileprivate init(client: OpaquePointer, code: Int32, reason: UnsafePointer<CChar>?) {
        let code = rd_kafka_resp_err_t(code)
        guard code == RD_KAFKA_RESP_ERR__FATAL else {
            let message = unsafe reason.map { unsafe String(cString: $0) } ?? ""
            self = KafkaError(event: code, message: message)
            return
        }
        var text = [CChar](repeating: 0, count: 512)
        let cause = unsafe rd_kafka_fatal_error(client, &text, text.count)
        let message = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self = .fatal(code: Self.name(of: cause), message: message)
    }
}

extension ProducerCore {
    fileprivate static func of(_ opaque: UnsafeMutableRawPointer) -> ProducerCore {
        unsafe Unmanaged<ProducerCore>.fromOpaque(opaque).takeUnretainedValue()
    }
}
