extension Region {
    /// The ports the worker serves. A listener that the file does not name is not opened.
    package struct Listeners: Hashable, Sendable {
        /// Who is let in, and to what: a file of accounts. Nil: whoever can connect may do everything.
        package let accountsFile: String?
        /// What clients of one port may use up.
        package let limits: Limits
        /// Provisioning, RESP; published port 8888.
        package let config: Listener?
        /// Voice events and call control, RESP; published port 8000.
        package let voice: Listener?
        /// Statistics and agent status, RESP; published port 2060.
        package let statistics: Listener?
        /// Outbound campaigns, RESP; published port 5050.
        package let outbound: Listener?
        /// Routing, HTTP; published port 5580.
        package let routing: Listener?
        /// Multimedia status, towards Interaction Server; published port 7120.
        package let interaction: Listener?

        /// What clients of one port may use up.
        package struct Limits: Hashable, Sendable {
            /// Open connections.
            package let clients: Int
            /// Of them those from one address.
            package let clientsPerSource: Int
            /// How long a client may be silent that waits for nothing and watches nothing.
            package let idleTime: Duration
            /// How long a client may take to log in.
            package let handshakeTime: Duration
            /// How long, once the port closes, commands that have begun may go on.
            package let drainTime: Duration
            /// Bytes that may wait for a client to take them.
            package let outputBytes: Int
            /// Bytes that may wait for all clients together that take less than they are sent.
            package let totalOutputBytes: Int
            /// Bytes that may be kept of what all clients together sent and is not carried out.
            package let totalInputBytes: Int
            /// Bytes of objects that the worker keeps in memory for readers of provisioning.
            package let memoryBytes: Int
        }
    }

    /// One listening port.
    package struct Listener: Hashable, Sendable {
        /// Where it listens.
        package let address: Address
        /// Nil: in the clear, which off loopback needs `allowClearText`.
        package let tls: TLS?
        /// The file's word that clear text off loopback is meant.
        package let allowClearText: Bool

        /// TLS towards clients.
        package struct TLS: Hashable, Sendable {
            /// Certificate chain to show, PEM.
            package let certFile: String
            /// Its key, PEM.
            package let keyFile: String
            /// Authorities whose clients are let in; nil: clients need no certificate.
            package let clientCAFile: String?
        }
    }
}

extension Region.Listeners: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case accountsFile, limits, config, voice, statistics, outbound, routing, interaction

        /// Whether a port stands under it.
        var isPort: Bool {
            switch self {
            case .accountsFile, .limits: false
            case .config, .voice, .statistics, .outbound, .routing, .interaction: true
            }
        }
    }

    static let shape = Shape(
        CodingKeys.self,
        Dictionary(
            uniqueKeysWithValues: CodingKeys.allCases.filter(\.isPort).map { ($0, .section(Region.Listener.shape)) }
        ).merging([.limits: .section(Limits.shape)]) { first, _ in first })

    /// No listener at all.
    static let none = Region.Listeners(
        accountsFile: nil, limits: .defaults, config: nil, voice: nil, statistics: nil, outbound: nil, routing: nil,
        interaction: nil)

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        accountsFile = try reader.path(.accountsFile)
        limits = try reader.optionalSection(.limits) ?? .defaults
        config = try reader.optionalSection(.config)
        voice = try reader.optionalSection(.voice)
        statistics = try reader.optionalSection(.statistics)
        outbound = try reader.optionalSection(.outbound)
        routing = try reader.optionalSection(.routing)
        interaction = try reader.optionalSection(.interaction)
        let open = opened.first { name, listener in
            [.config, .voice, .statistics, .outbound].map(\CodingKeys.stringValue).contains(name)
                && !listener.address.isLoopback
        }
        if let open, accountsFile == nil {
            throw reader.failure(
                .accountsFile, "missing; \(open.name) is open to other hosts, where everybody could do everything")
        }
    }

    /// Those that are opened, by the key they have in the file.
    package var opened: [(name: String, listener: Region.Listener)] {
        let all: [(CodingKeys, Region.Listener?)] = [
            (.config, config), (.voice, voice), (.statistics, statistics),
            (.outbound, outbound), (.routing, routing), (.interaction, interaction),
        ]
        return all.compactMap { key, listener in listener.map { (key.stringValue, $0) } }
    }
}

extension Region.Listeners.Limits: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case clients, clientsPerSource, idleTime, handshakeTime, drainTime, outputBytes, totalOutputBytes
        case totalInputBytes, memoryBytes
    }

    static let shape = Shape(CodingKeys.self)
    static let defaults = Region.Listeners.Limits(
        clients: 10_000, clientsPerSource: 2_000, idleTime: .seconds(600), handshakeTime: .seconds(10),
        drainTime: .seconds(10), outputBytes: 32 << 20, totalOutputBytes: 256 << 20,
        totalInputBytes: 256 << 20, memoryBytes: 256 << 20)

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        let defaults = Self.defaults
        clients = try reader.integer(.clients, in: 1...1_000_000, default: defaults.clients)
        clientsPerSource = try reader.integer(
            .clientsPerSource, in: 1...1_000_000, default: defaults.clientsPerSource)
        idleTime = try reader.duration(
            .idleTime, in: .seconds(1) ... .seconds(7 * 86_400), default: defaults.idleTime)
        handshakeTime = try reader.duration(
            .handshakeTime, in: .milliseconds(100) ... .seconds(300), default: defaults.handshakeTime)
        drainTime = try reader.duration(.drainTime, in: .zero ... .seconds(300), default: defaults.drainTime)
        outputBytes = try reader.bytes(.outputBytes, in: 1 << 20...1 << 30, default: defaults.outputBytes)
        totalOutputBytes = try reader.bytes(
            .totalOutputBytes, in: 1 << 20...1 << 40, default: defaults.totalOutputBytes)
        // A single client may have some MiB.
        totalInputBytes = try reader.bytes(
            .totalInputBytes, in: 16 << 20...1 << 40, default: defaults.totalInputBytes)
        memoryBytes = try reader.bytes(.memoryBytes, in: 1 << 20...1 << 40, default: defaults.memoryBytes)
    }
}

extension Region.Listener: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case host, port, tls, allowClearText
    }

    static let shape = Shape(CodingKeys.self, [.tls: .section(TLS.shape)])

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        address = Region.Address(
            host: try reader.text(.host, default: "127.0.0.1"), port: try reader.integer(.port, in: 1...65535))
        tls = try reader.optionalSection(.tls)
        allowClearText = try reader.flag(.allowClearText, default: false)
        guard tls != nil || allowClearText || address.isLoopback else {
            throw reader.failure(
                .host, "\(address.host) is not loopback; expected tls, or allowClearText: true if clear text is meant")
        }
    }
}

extension Region.Listener.TLS: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case certFile, keyFile, clientCAFile
    }

    static let shape = Shape(CodingKeys.self)

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        guard let certFile = try reader.path(.certFile) else { throw reader.failure(.certFile, "missing; required") }
        guard let keyFile = try reader.path(.keyFile) else { throw reader.failure(.keyFile, "missing; required") }
        self.certFile = certFile
        self.keyFile = keyFile
        clientCAFile = try reader.path(.clientCAFile)
    }
}

extension Region.Address {
    /// Whether only this host can connect: `localhost`, 127.0.0.0/8, `::1`, or a Unix socket.
    package var isLoopback: Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("/")
            || (host.hasPrefix("127.") && host.utf8.allSatisfy { $0 == 0x2e || 0x30...0x39 ~= $0 })
    }
}
