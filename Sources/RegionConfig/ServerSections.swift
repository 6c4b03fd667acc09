extension Region.Redis: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case host, port, username, passwordFile, passwordEnv, tls, connectTimeout, responseTimeout
    }

    static let shape = Shape(CodingKeys.self, [.tls: .section(TLS.shape)])

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        address = Region.Address(
            host: try reader.text(.host), port: try reader.integer(.port, in: 1...65535, default: 6379))
        username = try reader.optionalText(.username)
        password = try reader.secret(file: .passwordFile, variable: .passwordEnv)
        tls = try reader.optionalSection(.tls)
        connectTimeout = try reader.duration(
            .connectTimeout, in: .milliseconds(100) ... .seconds(60), default: .seconds(1))
        responseTimeout = try reader.duration(
            .responseTimeout, in: .milliseconds(100) ... .seconds(300), default: .seconds(3))
        if username != nil, password == nil {
            throw reader.failure(.username, "expected passwordFile or passwordEnv beside it")
        }
    }
}

extension Region.Redis.TLS: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case caFile, certFile, keyFile, serverName
    }

    static let shape = Shape(CodingKeys.self)

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        caFile = try reader.path(.caFile)
        (certFile, keyFile) = try reader.pair(.certFile, .keyFile)
        serverName = try reader.optionalText(.serverName)
    }
}

extension Region.Postgres: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case host, port, database, user, passwordFile, passwordEnv, tls, connectTimeout, publication, slot
        case snapshotReaders, writer
    }

    static let shape = Shape(CodingKeys.self, [.tls: .section(TLS.shape), .writer: .section(Writer.shape)])

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        address = Region.Address(
            host: try reader.text(.host), port: try reader.integer(.port, in: 1...65535, default: 5432))
        database = try reader.text(.database)
        user = try reader.text(.user)
        password = try reader.secret(file: .passwordFile, variable: .passwordEnv)
        tls = try reader.optionalSection(.tls)
        connectTimeout = try reader.duration(
            .connectTimeout, in: .seconds(1) ... .seconds(60), default: .seconds(5))
        publication = try reader.name(.publication, .identifier, default: "regionsync")
        slot = try reader.name(.slot, .slot, default: "regionsync")
        snapshotReaders = try reader.integer(.snapshotReaders, in: 1...16, default: 2)
        writer = try reader.optionalSection(.writer)
    }
}

extension Region.Postgres.Writer: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case user, passwordFile, passwordEnv
    }

    static let shape = Shape(CodingKeys.self)

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        user = try reader.text(.user, default: "regionsync_write")
        password = try reader.secret(file: .passwordFile, variable: .passwordEnv)
    }
}

extension Region.Postgres.TLS: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case mode, rootCertificate, certFile, keyFile
    }

    static let shape = Shape(CodingKeys.self)

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        mode = try reader.choice(.mode, default: .verifyFull)
        rootCertificate = try reader.path(.rootCertificate)
        (certFile, keyFile) = try reader.pair(.certFile, .keyFile)
        if mode != .require, rootCertificate == nil {
            throw reader.failure(.rootCertificate, "missing; mode \(mode.rawValue) needs the authorities to trust")
        }
    }
}

extension SectionReader {
    /// Two paths of which neither stands without the other.
    func pair(_ first: Key, _ second: Key) throws -> (String?, String?) {
        let paths = (try path(first), try path(second))
        if contains(first) != contains(second) {
            let (present, absent) = contains(first) ? (first, second) : (second, first)
            throw failure(present, "expected \(absent.stringValue) beside it")
        }
        return paths
    }
}
