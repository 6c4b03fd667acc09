internal import Journal
internal import Logging
internal import Mirror
internal import Observability
internal import RESP
internal import RedisClient

/// Trims the journals in the local Redis: those born here by every reader's cursor, copies by the local projection's.
///
/// A cursor that is not known keeps everything (journal.md, mirror rule 3).
actor Trimmer {
    private let region: String
    private let peers: [String]
    private let minimumAge: Duration
    private let client: RedisClient
    private let links: [MirrorLink]
    private let logger: Logger
    private var retentions: [JournalName: Retention] = [:]

    init(
        region: String, peers: [String], minimumAge: Duration, client: RedisClient, links: [MirrorLink], logger: Logger
    ) {
        self.region = region
        self.peers = peers
        self.minimumAge = minimumAge
        self.client = client
        self.links = links
        self.logger = logger
    }

    /// Samples and trims at the rule's interval, until cancelled.
    func run() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Retention(minimumAge: minimumAge).interval)
            guard !Task.isCancelled, case .connected(let connection) = await client.state else { continue }
            do {
                try await trim(through: connection)
            } catch {
                logger.debug("Journals were not trimmed this time", [.error: "\(error)"])
            }
        }
    }

    private func trim(through connection: RedisConnection) async throws(RedisError) {
        let tenants = try await connection.send(RedisCommand("SMEMBERS", tenantsKey)).elements.compactMap(\.string)
        let now = Duration(ContinuousClock.now)
        for origin in [region] + peers {
            var names: [JournalName] = [.provisioning(origin: origin), .control(origin: origin)]
            names += tenants.map { .voice(tenant: $0, origin: origin) }
            // A page a turn, so that thousands of journals do not hold up the connection.
            for start in stride(from: 0, to: names.count, by: 256) {
                try await trim(Array(names[start..<min(start + 256, names.count)]), at: now, through: connection)
            }
        }
    }

    private func trim(
        _ names: [JournalName], at now: Duration, through connection: RedisConnection
    ) async throws(RedisError) {
        let questions = names.flatMap { name in
            [RedisCommand("XREVRANGE", name.key, "+", "-", "COUNT", "1"), Self.projected(name)]
        }
        let answers = await connection.pipeline(questions)
        for (index, name) in names.enumerated() {
            guard let last = try answers[2 * index].get()[0]?[0]?.entryID else { continue }
            let projected = try answers[2 * index + 1].get()
            var retention = retentions[name] ?? Retention(minimumAge: minimumAge)
            retention.noted(last: last, at: now)
            retentions[name] = retention
            var readers: [EntryID?] = name.topic == .control ? [] : [Self.cursor(in: projected, of: name)]
            if name.origin == region {
                for link in links { readers.append(await link.acknowledged(of: name)) }
            }
            guard let minimum = retention.lowestToKeep(at: now, readers: readers) else { continue }
            let removed = try await connection.send(JournalFunctions.trim(name, minimum: minimum)).integer ?? 0
            if removed > 0 {
                logger.debug(
                    "Trimmed a journal",
                    [.journal: "\(name)", .entries: "\(removed)", .entryFirst: "\(minimum)"])
            }
        }
    }

    /// Where the local projection stands with a journal.
    private static func projected(_ name: JournalName) -> RedisCommand {
        let field = name.topic == .voice ? "voice:\(name.origin)" : "provisioning"
        return RedisCommand("HGET", "rs:{\(name.tenant)}:projection", field)
    }

    /// A position stands for its whole transaction: the first entry of the next one is the first to keep.
    private static func cursor(in reply: RedisReply, of name: JournalName) -> EntryID? {
        guard let text = reply.string else { return nil }
        return name.topic == .voice ? EntryID(text) : Position(text).map { $0.entryID(ordinal: 0) }
    }
}

extension Duration {
    /// Time since some fixed moment, by a clock that never jumps.
    fileprivate init(_ instant: ContinuousClock.Instant) {
        self = Self.origin.duration(to: instant)
    }

    private static let origin = ContinuousClock.now
}
