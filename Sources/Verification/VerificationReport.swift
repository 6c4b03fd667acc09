internal import Journal
internal import Traffic

/// Everything a verification found, for `--json` and, as `text`, for people.
package struct VerificationReport: Encodable, Sendable {
    /// PostgreSQL against the caches.
    package struct Provisioning: Encodable, Sendable {
        /// Objects in PostgreSQL.
        package let objects: Int
        /// Differences over all regions.
        package let drift: Int
        /// With a ledger: its transactions that a region's journals hold, of the region that holds the fewest.
        package let transactions: Int?
        /// Transactions of the ledger that a region's journals lack or hold twice.
        package let transactionsLost: Int?
        package let transactionsDuplicated: Int?
        /// Transactions of the ledger of which a region's journals, trimmed since, say nothing.
        package let transactionsTrimmed: Int?
        package let regions: [Cache]
    }

    /// One region's cache.
    package struct Cache: Encodable, Sendable {
        package let region: String
        /// Differences by kind; kinds without any are absent.
        package let problems: [String: Int]
        /// With a ledger: objects that are not as its last transaction left them.
        package let ledgerDrift: Int?
        /// Some differences in words.
        package let examples: [String]
    }

    /// What was put right in one region's cache.
    package struct Repaired: Encodable, Sendable {
        package let region: String
        /// Objects, index entries and buckets.
        package let count: Int
        /// Some of them, by name.
        package let examples: [String]
    }

    /// A journal and one copy.
    package struct Copy: Encodable, Sendable {
        package let journal: String
        package let region: String
        package let entries: Int
        package let equal: Int
        package let missing: Int
        package let behind: Int
        package let reordered: Int
        package let duplicated: Int
        package let altered: Int
        package let invented: Int
        /// Gone from the journal before the copy had them.
        package let lost: Int
        package let examples: [String]

        init(_ findings: JournalFindings) {
            journal = findings.journal.key
            region = findings.copy
            entries = findings.entries
            equal = findings.equal
            missing = findings.missing
            behind = findings.behind
            reordered = findings.reordered
            duplicated = findings.duplicated
            altered = findings.altered
            invented = findings.invented
            lost = findings.lost
            examples = findings.examples.map(\.description)
        }
    }

    /// The ledger's events against what every region holds; counts are summed over regions but for the first two.
    package struct Events: Encodable, Sendable {
        /// Acknowledged.
        package let produced: Int
        /// Of these, in every region once, in place and unaltered.
        package let mirrored: Int
        package let lost: Int
        /// Not among those lost: the tails of the journals of a region that is down.
        package let lostWithRegion: Int
        package let duplicated: Int
        package let reordered: Int
        package let altered: Int
        package let invented: Int
        /// There, and of unknown outcome in the ledger.
        package let unrecorded: Int
        /// Gone by retention.
        package let trimmed: Int
    }

    package let provisioning: Provisioning
    /// What was put right before the caches were compared for this report; regions without any are absent.
    package let repaired: [Repaired]
    package let journals: [Copy]
    package let events: Events?
    /// Whether everything is equal.
    package let ok: Bool

    /// What the parts found. With `allowsTrimmed` what retention removed since counts as equal.
    package init(
        caches: CacheVerification.Result, regions: [String], journals: [JournalFindings],
        ledger: LedgerVerification.Result?, allowsTrimmed: Bool, repaired: [CacheRepair.Result] = []
    ) {
        self.repaired = repaired.map {
            Repaired(
                region: $0.region, count: $0.count, examples: Array($0.names.prefix(Cache.exampleLimit)))
        }
        provisioning = Provisioning(
            objects: caches.objects, drift: caches.drift,
            transactions: ledger?.transactions.values.map { $0.matched + $0.inSnapshot }.min(),
            transactionsLost: ledger.map { $0.transactions.values.reduce(0) { $0 + $1.lost } },
            transactionsDuplicated: ledger.map { $0.transactions.values.reduce(0) { $0 + $1.duplicated } },
            transactionsTrimmed: ledger.map { $0.transactions.values.reduce(0) { $0 + $1.trimmed } },
            regions: regions.map { Cache($0, caches, ledger) })
        self.journals = journals.map { Copy($0) }
        events = ledger.map { ledger in
            let total = ledger.total
            return Events(
                produced: ledger.produced, mirrored: ledger.mirrored, lost: total.lost - ledger.lostWithRegion,
                lostWithRegion: ledger.lostWithRegion, duplicated: total.duplicated, reordered: total.reordered,
                altered: total.altered, invented: total.invented, unrecorded: total.unrecorded,
                trimmed: total.trimmed)
        }
        ok =
            caches.drift == 0 && journals.allSatisfy { $0.isEqual && (allowsTrimmed || $0.lost == 0) }
            && ledger.map { $0.isClean && (allowsTrimmed || $0.trimmed == 0) } ?? true
    }
}

extension VerificationReport.Cache {
    fileprivate static let exampleLimit = 20

    fileprivate init(_ region: String, _ caches: CacheVerification.Result, _ ledger: LedgerVerification.Result?) {
        self.region = region
        let findings = caches.findings.filter { $0.region == region }
        var problems = Dictionary(grouping: findings, by: \.problem.name).mapValues(\.count)
        if let unconfirmed = caches.unconfirmed[region] { problems["unconfirmed"] = unconfirmed }
        self.problems = problems
        let drifted = ledger?.objects[region]
        ledgerDrift = drifted?.drift
        examples =
            findings.prefix(Self.exampleLimit).map { "\($0.object) \($0.problem)" }
            + (drifted?.examples ?? []).map { "\($0.tenant)/\($0.type)/\($0.key) is not as the ledger has it" }
    }
}

extension VerificationReport {
    /// Tables for people.
    package var text: String {
        var text = cacheTable + "\n"
        if !journals.isEmpty { text += journalTable + "\n" }
        if let events {
            text += "Ledger: \(events.produced) events produced, \(events.mirrored) in every region; "
            text += "lost \(events.lost), duplicated \(events.duplicated), reordered \(events.reordered), "
            text += "altered \(events.altered), invented \(events.invented)"
            if events.lostWithRegion > 0 { text += "; \(events.lostWithRegion) went down with their region" }
            if events.unrecorded > 0 { text += "; \(events.unrecorded) of unknown outcome are there" }
            if events.trimmed > 0 { text += "; \(events.trimmed) gone by retention" }
            text += "\n\n"
        }
        if let transactions = provisioning.transactions {
            text += "Ledger: \(transactions) transactions in every region's journals; "
            text += "lost \(provisioning.transactionsLost ?? 0), "
            text += "duplicated \(provisioning.transactionsDuplicated ?? 0)"
            if let trimmed = provisioning.transactionsTrimmed, trimmed > 0 { text += "; \(trimmed) gone by retention" }
            text += "\n\n"
        }
        for region in repaired {
            text += "\(region.region): \(region.count) put right\n"
            for name in region.examples { text += "\(region.region): put right: \(name)\n" }
        }
        for cache in provisioning.regions {
            for example in cache.examples { text += "\(cache.region): \(example)\n" }
        }
        for copy in journals where !copy.examples.isEmpty {
            text += "\(copy.region): \(copy.journal) differs at \(copy.examples.joined(separator: ", "))\n"
        }
        return text + (ok ? "Everything is equal.\n" : "There are differences.\n")
    }

    private var cacheTable: String {
        var table = TextTable([
            ("CACHE", .left), ("OBJECTS", .right), ("DRIFT", .right), ("LEDGER DRIFT", .right), ("", .left),
        ])
        for cache in provisioning.regions {
            let problems = cache.problems.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
            table.add([
                cache.region, "\(provisioning.objects)", "\(cache.problems.values.reduce(0, +))",
                cache.ledgerDrift.map { "\($0)" } ?? "-", problems.joined(separator: ", "),
            ])
        }
        return table.text
    }

    private var journalTable: String {
        var table = TextTable([
            ("JOURNAL", .left), ("COPY IN", .left), ("ENTRIES", .right), ("EQUAL", .right), ("", .left),
        ])
        for copy in journals {
            let counts = [
                ("missing", copy.missing), ("not arrived", copy.behind), ("reordered", copy.reordered),
                ("duplicated", copy.duplicated), ("altered", copy.altered), ("invented", copy.invented),
                ("gone before they arrived", copy.lost),
            ]
            table.add([
                copy.journal, copy.region, "\(copy.entries)", "\(copy.equal)",
                counts.filter { $0.1 > 0 }.map { "\($0.1) \($0.0)" }.joined(separator: ", "),
            ])
        }
        return table.text
    }
}
