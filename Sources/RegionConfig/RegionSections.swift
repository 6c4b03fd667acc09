extension Region: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case region, redis, postgres, peers, admin, listeners, retention, limits, failover, verification, tenants,
            catalog, catalogFile
    }

    static let shape = Shape(
        CodingKeys.self,
        [
            .redis: .section(Redis.shape), .postgres: .section(Postgres.shape),
            .peers: .list(Peer.shape, namedBy: "region"), .admin: .section(Address.shape),
            .listeners: .section(Listeners.shape), .retention: .section(Retention.shape),
            .limits: .section(Limits.shape), .failover: .section(Failover.shape),
            .verification: .section(Verification.shape), .tenants: .scalars,
            .catalog: .list(CatalogTable.shape, namedBy: nil),
        ])

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        name = try reader.name(.region, .region)
        redis = try reader.section(.redis)
        postgres = try reader.section(.postgres)
        peers = try reader.sections(.peers)
        admin = try reader.optionalSection(.admin) ?? Address(host: Address.loopback, port: Address.adminPort)
        listeners = try reader.optionalSection(.listeners) ?? .none
        retention = try reader.optionalSection(.retention) ?? .defaults
        limits = try reader.optionalSection(.limits) ?? .defaults
        failover = try reader.optionalSection(.failover) ?? .defaults
        verification = try reader.optionalSection(.verification) ?? .defaults
        tenants = try Self.tenants(reader)
        catalog = try Self.catalog(reader, decoder)
        try checkPeers(reader)
        try checkPorts(reader)
    }

    private static func tenants(_ reader: SectionReader<CodingKeys>) throws -> [Int64] {
        let tenants = try reader.texts(.tenants).map { text in
            guard let dbid = Int64(text), dbid > 0 else {
                throw reader.failure(.tenants, "expected dbids of tenants (integers from 1), found \"\(text)\"")
            }
            return dbid
        }
        if let twice = firstRepeated(tenants) { throw reader.failure(.tenants, "\(twice) stands twice") }
        return tenants
    }

    private static func catalog(_ reader: SectionReader<CodingKeys>, _ decoder: any Decoder) throws -> Catalog {
        switch (reader.contains(.catalog), Surroundings.catalog(decoder)) {
        case (true, nil): return try Catalog(reader, .catalog)
        case (false, let catalog?): return catalog
        case (true, _?): throw reader.failure(.catalogFile, "catalog stands beside it; expected one of the two")
        case (false, nil): throw reader.failure(.catalog, "missing; expected a list of tables, or catalogFile")
        }
    }

    private func checkPeers(_ reader: SectionReader<CodingKeys>) throws {
        if peers.contains(where: { $0.region == name }) {
            throw reader.failure(.peers, "\(name) is this region itself; expected the other regions")
        }
        if let index = firstRepetition(in: peers.map(\.region)) {
            throw reader.failure(.peers, at: index, "\(peers[index].region) stands twice")
        }
        if let same = peers.first(where: { $0.redis.address == redis.address }) {
            throw reader.failure(.peers, "\(same.region) has this region's own Redis, \(redis.address)")
        }
    }

    private func checkPorts(_ reader: SectionReader<CodingKeys>) throws {
        var taken = [admin: "admin"]
        for (key, listener) in listeners.opened {
            if let other = taken.updateValue(key, forKey: listener.address) {
                throw reader.failure(.listeners, "\(key) and \(other) have the same address, \(listener.address)")
            }
        }
    }
}

extension Region.Address: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case host, port
    }

    static let shape = Shape(CodingKeys.self)
    static let loopback = "127.0.0.1"
    static let adminPort = 15000

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        host = try reader.text(.host, default: Self.loopback)
        port = try reader.integer(.port, in: 1...65535, default: Self.adminPort)
    }
}

extension Region.Peer: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case region, redis, windowBytes
    }

    static let shape = Shape(CodingKeys.self, [.redis: .section(Region.Redis.shape)])

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        region = try reader.name(.region, .region)
        redis = try reader.section(.redis)
        windowBytes = try reader.bytes(.windowBytes, in: 64 << 10...1 << 30, default: 8 << 20)
    }
}

extension Region.Retention: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case minimum, maximumBytes
    }

    static let shape = Shape(CodingKeys.self)
    static let defaults = Region.Retention(minimum: .seconds(3600), maximumBytes: nil)

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        minimum = try reader.duration(
            .minimum, in: .zero ... .seconds(30 * 86_400), default: Self.defaults.minimum)
        maximumBytes = try reader.optionalBytes(.maximumBytes, in: 1 << 20...1 << 44)
    }
}

extension Region.Verification: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case interval, delay, objectsPerSecond, repair
    }

    static let shape = Shape(CodingKeys.self)
    static let defaults = Region.Verification(
        interval: .seconds(3600), delay: .seconds(60), objectsPerSecond: 10_000, repair: true)

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        let defaults = Self.defaults
        interval = try reader.duration(
            .interval, in: .seconds(10) ... .seconds(7 * 86_400), default: defaults.interval)
        delay = try reader.duration(.delay, in: .zero ... .seconds(86_400), default: defaults.delay)
        objectsPerSecond = try reader.integer(
            .objectsPerSecond, in: 10...1_000_000, default: defaults.objectsPerSecond)
        repair = try reader.flag(.repair, default: defaults.repair)
    }
}

extension Region.Limits: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case streamsPerReader, entriesPerRead, objectsPerApply, callRecordTime, retainedWALBytes, labelledTenants
    }

    static let shape = Shape(CodingKeys.self)
    static let defaults = Region.Limits(
        streamsPerReader: 16, entriesPerRead: 1000, objectsPerApply: 1000, callRecordTime: .seconds(600),
        retainedWALBytes: 8 << 30, labelledTenants: 10)

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        let defaults = Self.defaults
        streamsPerReader = try reader.integer(.streamsPerReader, in: 1...256, default: defaults.streamsPerReader)
        entriesPerRead = try reader.integer(.entriesPerRead, in: 1...100_000, default: defaults.entriesPerRead)
        objectsPerApply = try reader.integer(.objectsPerApply, in: 1...10_000, default: defaults.objectsPerApply)
        callRecordTime = try reader.duration(
            .callRecordTime, in: .zero ... .seconds(7 * 86_400), default: defaults.callRecordTime)
        retainedWALBytes = try reader.bytes(
            .retainedWALBytes, in: 64 << 20...1 << 50, default: defaults.retainedWALBytes)
        labelledTenants = try reader.integer(.labelledTenants, in: 0...1000, default: defaults.labelledTenants)
    }
}
