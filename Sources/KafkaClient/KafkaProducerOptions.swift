/// How a producer reaches its brokers and how much it holds.
package struct KafkaProducerOptions: Sendable {
    /// Encrypted transport; the brokers' certificates are verified, host name included.
    package struct TLS: Hashable, Sendable {
        /// PEM file of the authorities to trust; nil trusts those of the host.
        package var authorityFile: String?
        /// PEM files of our own certificate and key, where brokers ask for one.
        package var certificateFile: String?
        package var keyFile: String?

        package init(authorityFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
            self.authorityFile = authorityFile
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }

    /// A name and a password shown to the brokers.
    package struct SASL: Sendable {
        package enum Mechanism: String, CaseIterable, Sendable {
            case plain = "PLAIN"
            case scramSHA256 = "SCRAM-SHA-256"
            case scramSHA512 = "SCRAM-SHA-512"
        }

        package var mechanism: Mechanism
        package var username: String
        package var password: String

        package init(mechanism: Mechanism, username: String, password: String) {
            self.mechanism = mechanism
            self.username = username
            self.password = password
        }
    }

    /// `host:port` of some brokers; the others are learnt from these.
    package var brokers: [String]
    /// Our name in the brokers' logs.
    package var clientID: String
    package var tls: TLS?
    package var sasl: SASL?
    /// Messages handed over and not yet acknowledged; beyond it callers wait.
    package var messageLimit = 10_000
    /// Bytes of keys and values of those; beyond it callers wait.
    package var byteLimit = 32 << 20
    /// How long a message may wait for its acknowledgement before it fails. Nil, the default, is for ever: a message
    /// that fails leaves a gap in its partition.
    package var deliveryTimeout: Duration?
    /// How long to wait for more messages before a batch is sent.
    package var linger = Duration.milliseconds(5)
    /// Further settings by librdkafka's names; they win over all others but the
    /// limits of the queue.
    package var settings: [String: String] = [:]

    package init(brokers: [String], clientID: String) {
        self.brokers = brokers
        self.clientID = clientID
    }

    /// Everything by librdkafka's names (its CONFIGURATION.md).
    internal var allSettings: [String: String] {
        var all = [
            "bootstrap.servers": brokers.joined(separator: ","),
            "client.id": clientID,
            "enable.idempotence": "true",
            "partitioner": "murmur2_random",  // as Java producers choose
            "linger.ms": "\(Self.milliseconds(linger))",
            "message.timeout.ms": "\(deliveryTimeout.map { max(1, Self.milliseconds($0)) } ?? 0)",
            "socket.nagle.disable": "true",
            "socket.keepalive.enable": "true",
            "reconnect.backoff.max.ms": "1000",
        ]
        all["security.protocol"] =
            switch (tls != nil, sasl != nil) {
            case (false, false): "plaintext"
            case (true, false): "ssl"
            case (false, true): "sasl_plaintext"
            case (true, true): "sasl_ssl"
            }
        all["ssl.ca.location"] = tls?.authorityFile
        all["ssl.certificate.location"] = tls?.certificateFile
        all["ssl.key.location"] = tls?.keyFile
        if tls != nil { all["ssl.endpoint.identification.algorithm"] = "https" }
        all["sasl.mechanism"] = sasl?.mechanism.rawValue
        all["sasl.username"] = sasl?.username
        all["sasl.password"] = sasl?.password
        all.merge(settings) { _, given in given }
        // Our own limits come first; librdkafka frees a place only after the callback for it has ended.
        all["queue.buffering.max.messages"] = "\(min(10_000_000, max(1, messageLimit) * 2 + 1_000))"
        all["queue.buffering.max.kbytes"] = "\(min(2_097_151, byteLimit / 1_024 * 2 + 65_536))"
        return all
    }

    internal static func milliseconds(_ duration: Duration) -> Int32 {
        let milliseconds = duration / .milliseconds(1)
        return Int32(min(max(0, milliseconds), 2_000_000_000))
    }
}
