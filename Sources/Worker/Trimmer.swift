internal import CrashPoints
internal import Journal
package import Logging
package import Mirror
internal import NIOCore
package import Observability
internal import Projection
internal import RESP
package import RedisClient

/// Trims the journals in the local Redis: those born here by every reader's cursor, copies by the local projection's.
///
/// A cursor that is not known keeps everything (journal.md, mirror rule 3), short of the byte budget. One journal's
/// trouble does not keep the others from being trimmed.
package actor Trimmer {
    package struct Settings: Sendable {
        package let region: String
        package let peers: [String]
        /// Tenants known beforehand; the others are learnt from the projection.
        package let tenants: [String]
        /// Entries younger than this stay even when every reader has them.
        package let minimumAge: Duration
        /// Bytes that a journal may take; nil: no bound.
        package let maximumBytes: Int?

        package init(
            region: String, peers: [String], tenants: [String], minimumAge: Duration, maximumBytes: Int? = nil
        ) {
            self.region = region
            self.peers = peers
            self.tenants = tenants
            self.minimumAge = minimumAge
            self.maximumBytes = maximumBytes
        }
    }

    package static let component = "trim"

    let settings: Settings
    let links: [MirrorLink]
    let logger: Logger
    let headroom: [String: Gauge]
    let metrics: MetricsRegistry
    private let client: RedisClient
    private let states: ComponentStates
    private var retentions: [JournalName: Retention] = [:]
    /// Memory that the journals took in the round before.
    var usages: [JournalName: Usage] = [:]
    /// What went wrong in this round.
    private var failures: [(name: String, reason: String)] = []

    package init(
        settings: Settings, client: RedisClient, links: [MirrorLink], states: ComponentStates,
        metrics: MetricsRegistry, logger: Logger
    ) {
        self.settings = settings
        self.client = client
        self.links = links
        self.states = states
        self.logger = logger
        self.metrics = metrics
        headroom = Dictionary(
            uniqueKeysWithValues: settings.peers.map {
                ($0, metrics.gauge(.mirrorTrimHeadroomSeconds, [.peer: $0]))
            })
    }

    /// Samples and trims at the rule's interval, until cancelled.
    func run() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Retention(minimumAge: settings.minimumAge).interval)
            guard !Task.isCancelled, case .connected(let connection) = await client.state else { continue }
            await trim(through: connection, at: Duration(ContinuousClock.now))
        }
        for gauge in headroom.values { gauge.set(nil as Double?) }
    }

    /// One round over all journals, at `now` by a clock that does not jump.
    package func trim(through connection: RedisConnection, at now: Duration) async {
        failures.removeAll()
        var headrooms: [String: Duration] = [:]
        let tenants = await tenants(through: connection)
        for origin in [settings.region] + settings.peers {
            var names: [JournalName] = [.provisioning(origin: origin), .control(origin: origin)]
            names += tenants.map { .voice(tenant: $0, origin: origin) }
            // A page a turn, so that thousands of journals do not hold up the connection.
            for start in stride(from: 0, to: names.count, by: 256) {
                let page = Array(names[start..<min(start + 256, names.count)])
                await trim(page, at: now, through: connection, headrooms: &headrooms)
                guard connection.isOpen else { return }  // the next round has another one
            }
        }
        for (peer, gauge) in headroom {
            if let time = headrooms[peer] { gauge.set(time) } else { gauge.set(nil as Double?) }
        }
        report()
    }

    private func tenants(through connection: RedisConnection) async -> [String] {
        var tenants = Set(settings.tenants)
        do throws(RedisError) {
            tenants.formUnion(
                try await connection.send(RedisCommand("SMEMBERS", tenantsKey)).elements.compactMap(\.string))
        } catch {
            failures.append((tenantsKey, "\(error)"))
        }
        return tenants.sorted()
    }

    private func trim(
        _ names: [JournalName], at now: Duration, through connection: RedisConnection,
        headrooms: inout [String: Duration]
    ) async {
        let questions = names.flatMap { name in
            [
                RedisCommand("XREVRANGE", name.key, "+", "-", "COUNT", "1"), Self.projected(name),
                RedisCommand("HGET", name.metaKey, "birth"),
            ]
        }
        let answers = await connection.pipeline(questions)
        for (index, name) in names.enumerated() {
            do {
                guard let last = try answers[3 * index].get()[0]?[0]?.entryID else { continue }
                let projected = try answers[3 * index + 1].get()
                let journal = Found(name: name, birth: try answers[3 * index + 2].get().string ?? "", last: last)
                let readers = await readers(of: name, projected: Self.cursor(in: projected, of: name))
                try await trim(journal, readers: readers.map(\.cursor), at: now, through: connection)
                try await enforceBudget(
                    of: journal, readers: readers, at: now, through: connection, headrooms: &headrooms)
            } catch {
                failures.append((name.key, "\(error)"))
            }
        }
    }

    /// Who reads a journal, and up to where; nil where that is unknown.
    private func readers(of name: JournalName, projected: EntryID?) async -> [Reader] {
        // Nobody here reads what this region says to the others.
        let isOwnControl = name.topic == .control && name.origin == settings.region
        var readers: [Reader] = isOwnControl ? [] : [Reader(peer: nil, cursor: projected)]
        if name.origin == settings.region {
            for link in links {
                readers.append(Reader(peer: link.peer, cursor: await link.acknowledged(of: name)))
            }
        }
        return readers
    }

    private func trim(
        _ journal: Found, readers: [EntryID?], at now: Duration, through connection: RedisConnection
    ) async throws {
        let name = journal.name
        var retention = retentions[name] ?? Retention(minimumAge: settings.minimumAge)
        retention.noted(last: journal.last, at: now)
        retentions[name] = retention
        guard var minimum = retention.lowestToKeep(at: now, readers: readers) else { return }
        // Never inside a transaction: all entries of one have the same first half.
        if name.topic == .provisioning { minimum = EntryID(first: minimum.first, second: 0) }
        let command = JournalFunctions.trim(name, minimum: minimum, birth: journal.birth)
        let removed = try await connection.call(command).get().integer ?? 0
        guard removed > 0 else { return }
        CrashPoint.trimmed.pass()
        logger.debug(
            "Trimmed a journal", [.journal: "\(name)", .entries: "\(removed)", .entryFirst: "\(minimum)"])
    }

    private func report() {
        guard let first = failures.first else {
            states.set(Self.component, ComponentState("trimming", .working))
            return
        }
        let state = ComponentState(
            "failing", .degraded, reason: "\(failures.count) not trimmed, first \(first.name): \(first.reason)",
            advice: "what is not trimmed grows until Redis is full; see that key")
        guard states.set(Self.component, state) else { return }
        logger.warning(
            "Journals were not trimmed",
            [.journals: "\(failures.count)", .journal: "\(first.name)", .error: "\(first.reason)"])
    }

    /// Where the local projection stands with a journal.
    private static func projected(_ name: JournalName) -> RedisCommand {
        switch name.topic {
        case .voice:
            RedisCommand(
                "HGET", ProjectionKeys.cursors(tenant: name.tenant), ProjectionKeys.voiceCursor(origin: name.origin))
        case .control: RedisCommand("HGET", ProjectionKeys.trailing, ProjectionKeys.controlCursor(origin: name.origin))
        case .provisioning, .requests: RedisCommand("HGET", ProjectionKeys.trailing, "provisioning")
        }
    }

    /// A position stands for its whole transaction, which is kept: where it ends is not known here.
    private static func cursor(in reply: RedisReply, of name: JournalName) -> EntryID? {
        guard let text = reply.string else { return nil }
        return name.topic == .provisioning ? Position(text).map { $0.entryID(ordinal: 0) } : EntryID(text)
    }
}

extension Trimmer {
    /// A journal as this round found it.
    struct Found: Sendable {
        let name: JournalName
        /// Its birth mark; empty where it has none.
        let birth: String
        let last: EntryID
    }

    /// A reader of a journal.
    struct Reader: Sendable {
        /// The region that reads; nil for the local projection.
        let peer: String?
        let cursor: EntryID?
    }
}

extension Duration {
    /// Time since some fixed moment, by a clock that never jumps.
    fileprivate init(_ instant: ContinuousClock.Instant) {
        self = Self.origin.duration(to: instant)
    }

    private static let origin = ContinuousClock.now
}
