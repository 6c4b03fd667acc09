internal import CLibrdkafka

/// Why a producer could not do something. Texts are librdkafka's and carry no keys, values or credentials.
package enum KafkaError: Error, Hashable, Sendable {
    /// A setting is unknown or has an illegal value; `key` is nil when the settings do not go together.
    case configuration(key: String?, message: String)
    /// The message is larger than brokers or settings allow; the others go on.
    case messageTooLarge
    /// There is no such topic, and brokers do not make one.
    case unknownTopic(String)
    /// The message was not acknowledged. Brokers may have stored it all the same when `mayBeStored`.
    case undelivered(code: String, message: String, mayBeStored: Bool)
    /// Brokers, or their TLS, refused us. The producer goes on trying.
    case authentication(message: String)
    /// No broker can be reached. The producer goes on trying.
    case unreachable(message: String)
    /// Anything else brokers or librdkafka complain about. The producer goes on.
    case other(code: String, message: String)
    /// The producer can no longer keep order without duplicates and takes nothing any more: close it and resume, with a
    /// new one, behind what was acknowledged.
    case fatal(code: String, message: String)
    /// The producer was closed before the message was handed over.
    case closed
    /// The task was cancelled while it waited; messages already handed over stay so.
    case cancelled
}

extension KafkaError {
    /// What a global error event says.
    internal init(event code: rd_kafka_resp_err_t, message: String) {
        switch code {
        case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR__SSL, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
            RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            self = .authentication(message: message)
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__RESOLVE:
            self = .unreachable(message: message)
        default:
            self = .other(code: Self.name(of: code), message: message)
        }
    }

    /// Why one message was refused, at once or by its delivery report.
    internal init(message code: rd_kafka_resp_err_t, topic: String, mayBeStored: Bool) {
        switch code {
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: self = .messageTooLarge
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: self = .unknownTopic(topic)
        case RD_KAFKA_RESP_ERR__PURGE_QUEUE: self = .closed
        default:
            self = .undelivered(
                code: Self.name(of: code), message: unsafe String(cString: rd_kafka_err2str(code)),
                mayBeStored: mayBeStored)
        }
    }

    internal static func name(of code: rd_kafka_resp_err_t) -> String {
        unsafe String(cString: rd_kafka_err2name(code))
    }
}
