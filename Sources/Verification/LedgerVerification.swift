internal import Journal
internal import NIOCore
internal import Projection
internal import RedisClient
internal import RESP
package import Traffic
internal import VoiceEvents

/// Compares what was produced and acknowledged, by the producers' own ledger, with what every region holds.
package struct LedgerVerification: Sendable {
    /// What one region holds of one journal's events.
    package struct Events: Sendable {
        package let journal: String
        /// The region that wrote it is down.
        package let isOfDown: Bool
        package let region: String
        package let findings: LedgerCheck.Findings
    }

    /// What the ledger's comparison found.
    package struct Result: Sendable {
        /// Events acknowledged.
        package internal(set) var produced = 0
        /// Of these, those that stand once, in place and unaltered in every region.
        package internal(set) var mirrored = 0
        /// By journal and region.
        package internal(set) var events: [Events] = []
        /// By region: transactions in its provisioning journals.
        package internal(set) var transactions: [String: TransactionTally.Findings] = [:]
        /// By region: objects in its cache.
        package internal(set) var objects: [String: ObjectCheck.Findings] = [:]

        /// Over all journals and regions.
        package var total: LedgerCheck.Findings {
            events.reduce(into: LedgerCheck.Findings()) { $0 += $1.findings }
        }

        /// Events that a region that is down took with it: the tails of its journals.
        package var lostWithRegion: Int { events.filter(\.isOfDown).reduce(0) { $0 + $1.findings.lostTail } }

        /// Events and transactions that retention removed somewhere, so that nothing is known of them there.
        package var trimmed: Int { total.trimmed + transactions.values.reduce(0) { $0 + $1.trimmed } }

        /// Whether every region holds exactly what was produced, but for what was trimmed or went down with a region.
        package var isClean: Bool {
            let total = total
            return total.lost == lostWithRegion
                && total.duplicated + total.reordered + total.altered + total.invented == 0
                && objects.values.allSatisfy { $0.drift == 0 }
                && transactions.values.allSatisfy { $0.lost + $0.duplicated == 0 }
        }
    }

    private let ledger: Ledger
    private let regions: [RegionServer]
    private let down: [String]
    private let wait: Duration
    private let progress: @Sendable (String) -> Void

    /// A comparison with a ledger, which waits at most `wait` for events and objects that are under way. The journals of
    /// the regions that are `down` are looked for in the others only.
    package init(
        _ ledger: Ledger, regions: [RegionServer], down: [String] = [], wait: Duration,
        progress: @escaping @Sendable (String) -> Void
    ) {
        self.ledger = ledger
        self.regions = regions
        self.down = down
        self.wait = wait
        self.progress = progress
    }

    /// Compares; throws `VerificationError` when it cannot look.
    package func run() async throws -> Result {
        var result = Result()
        result.produced = ledger.eventCount
        for (key, record) in ledger.journals.sorted(by: { $0.key < $1.key }) {
            guard let journal = JournalName(key: key) else {
                throw VerificationError.ledger("\(key) is not the key of a journal")
            }
            var isMirrored = record.events.map { _ in true }
            for region in regions {
                let (findings, intact) = try await check(record, journal, in: region)
                for (place, isIntact) in intact.enumerated() where !isIntact { isMirrored[place] = false }
                result.events.append(
                    Events(
                        journal: key, isOfDown: down.contains(journal.origin), region: region.name,
                        findings: findings))
            }
            result.mirrored += isMirrored.count(where: \.self)
        }
        for region in regions {
            progress("\(region.name): \(ledger.objects.count) objects and \(ledger.transactions.count) transactions")
            result.transactions[region.name] = try await transactions(in: region)
            result.objects[region.name] = try await objects(in: region)
        }
        return result
    }

    // MARK: Events

    private func check(
        _ record: Ledger.JournalRecord, _ journal: JournalName, in region: RegionServer
    ) async throws -> (findings: LedgerCheck.Findings, intact: [Bool]) {
        progress("\(region.name): \(record.events.count) events of \(journal)")
        // Nothing more comes of a region that is down.
        let deadline = ContinuousClock.now + (down.contains(journal.origin) ? .zero : wait)
        var end = try await region.ends(of: [journal])[0]
        while let last = record.events.last?.entry, max(end.last ?? .zero, end.floor) < last,
            ContinuousClock.now < deadline
        {
            try await Task.sleep(for: .milliseconds(100))
            end = try await region.ends(of: [journal])[0]
        }
        var check = LedgerCheck(record, openRuns: ledger.openRuns)
        try await region.forEachPage(of: journal) { page in
            try page.forEachEntry { entry in
                let event = Self.event(entry)
                check.entryRead(entry.id, event?.identity, digest: event?.digest ?? 0)
            }
        }
        let intact = check.intact
        return (check.finish(floor: try await region.ends(of: [journal])[0].floor), intact)
    }

    /// What names the event of an entry, and its digest; nil for an entry that is no event, or nobody's.
    private static func event(_ entry: JournalEntry) -> (identity: EventIdentity, digest: UInt64)? {
        guard let event = entry.value(of: "event"), let key = entry.value(of: "key"),
            let data = entry.value(of: "data")
        else { return nil }
        let (eventBytes, keyBytes, dataBytes) = (Array(event), Array(key), Array(data))
        guard let read = try? VoiceEvent(event: eventBytes.span, key: keyBytes.span, data: dataBytes.span),
            let identity = EventIdentity(read)
        else { return nil }
        return (
            identity, PayloadDigest.voice(event: eventBytes.span, key: keyBytes.span, data: dataBytes.span)
        )
    }

    // MARK: Provisioning

    private func transactions(in region: RegionServer) async throws -> TransactionTally.Findings {
        var tally = TransactionTally(ledger)
        for origin in regions.map(\.name) + down {
            let journal = JournalName.provisioning(origin: origin)
            try await region.forEachPage(of: journal) { page in
                try page.forEachEntry { tally.entryRead($0) }
            }
            // Behind the entries: some may have been trimmed while they were read.
            tally.floorRead(try await region.ends(of: [journal])[0].floor)
        }
        return tally.finish()
    }

    /// Looks until nothing differs or time is up.
    private func objects(in region: RegionServer) async throws -> ObjectCheck.Findings {
        let deadline = ContinuousClock.now + wait
        while true {
            let findings = try await objectsOnce(in: region)
            if findings.drift == 0 || ContinuousClock.now >= deadline { return findings }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    private func objectsOnce(in region: RegionServer) async throws -> ObjectCheck.Findings {
        var check = ObjectCheck(ledger)
        let names = Array(ledger.objects.keys)
        for start in stride(from: 0, to: names.count, by: 500) {
            let some = names[start..<min(start + 500, names.count)]
            let replies = try await region.ask(
                some.map { name in
                    RedisCommand(
                        "HGETALL", ProjectionKeys.object(tenant: name.tenant, type: name.type, id: name.key))
                })
            for (name, reply) in zip(some, replies) where reply.count > 0 {
                var columns: [(String, String?)] = []
                var fields = reply.elements
                while let field = fields.next()?.string, let value = fields.next()?.string {
                    if field != "_v", field != "_d" { columns.append((field, value)) }
                }
                check.objectRead(name, digest: PayloadDigest.object(columns))
            }
        }
        return check.finish()
    }
}
