extension Region {
    /// What `regionsync failover --to` this region does to take over, and when it refuses.
    package struct Failover: Hashable, Sendable {
        /// The PostgreSQL standby that is promoted; database, role and TLS as under `postgres`. Nil: none of its own.
        package let standby: Address?
        /// Command that keeps the old primary from taking writes, word by word; empty: there is none.
        package let fence: [String]
        /// Command that promotes the standby; empty: there is none.
        package let promote: [String]
        /// How long each of these commands may take.
        package let hookTimeout: Duration
        /// Voice events that may be lost without `--accept-loss`.
        package let maximumLoss: Int
    }
}

extension Region.Failover: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case standby, fence, promote, hookTimeout, maximumLoss
    }

    static let shape = Shape(
        CodingKeys.self, [.standby: .section(Standby.shape), .fence: .scalars, .promote: .scalars])
    static let defaults = Region.Failover(
        standby: nil, fence: [], promote: [], hookTimeout: .seconds(60), maximumLoss: 1000)

    package init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        let standby: Standby? = try reader.optionalSection(.standby)
        self.standby = standby?.address
        fence = try reader.command(.fence)
        promote = try reader.command(.promote)
        hookTimeout = try reader.duration(
            .hookTimeout, in: .seconds(1) ... .seconds(3600), default: Self.defaults.hookTimeout)
        maximumLoss = try reader.integer(.maximumLoss, in: 0...1_000_000_000, default: Self.defaults.maximumLoss)
    }
}

/// Where the standby listens.
private struct Standby: RegionSection {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case host, port
    }

    static let shape = Shape(CodingKeys.self)

    let address: Region.Address

    init(from decoder: any Decoder) throws {
        let reader = try SectionReader(decoder, keys: CodingKeys.self)
        address = Region.Address(
            host: try reader.text(.host), port: try reader.integer(.port, in: 1...65535, default: 5432))
    }
}
