internal import Journal
internal import RESP
internal import RedisClient

/// Compares every journal born in one of the given regions with its copies in the others.
package struct JournalVerification: Sendable {
    private let regions: [RegionServer]
    private let wait: Duration
    private let progress: @Sendable (String) -> Void

    /// A comparison that waits at most `wait` for entries that are under way.
    package init(regions: [RegionServer], wait: Duration, progress: @escaping @Sendable (String) -> Void) {
        self.regions = regions
        self.wait = wait
        self.progress = progress
    }

    /// Compares; one result a journal and copy, by journal. Throws `VerificationError` when it cannot look.
    package func run() async throws -> [JournalFindings] {
        let tenants = try await tenants()
        var findings: [JournalFindings] = []
        let deadline = ContinuousClock.now + wait
        for source in regions {
            let journals =
                [.provisioning(origin: source.name), .control(origin: source.name)]
                + tenants.map { JournalName.voice(tenant: $0, origin: source.name) }
            let ends = try await source.ends(of: journals)
            for copy in regions where copy.name != source.name {
                progress("comparing \(journals.count) journals of \(source.name) with their copies in \(copy.name)")
                let copyEnds = try await arrived(journals, ends, in: copy, until: deadline)
                for (index, journal) in journals.enumerated() {
                    guard ends[index].last != nil || copyEnds[index].last != nil else { continue }
                    var comparison = JournalComparison(journal, source: source, copy: copy)
                    try await comparison.run(ends[index], copyEnds[index])
                    findings.append(comparison.findings)
                }
            }
        }
        return findings.sorted { ($0.journal, $0.copy) < ($1.journal, $1.copy) }
    }

    /// Dbids of the tenants that any of the regions knows or has a voice journal of.
    private func tenants() async throws -> [String] {
        var tenants: Set<String> = []
        for region in regions {
            tenants.formUnion(region.staticTenants)
            tenants.formUnion(try await region.ask("SMEMBERS", tenantsKey).elements.compactMap(\.string))
            let journals = try await region.journalKeys().compactMap { JournalName(key: $0) }
            tenants.formUnion(journals.filter { $0.topic == .voice }.map(\.tenant))
        }
        return tenants.sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
    }

    /// How the copies stand once they have reached `ends`, or at `deadline`.
    private func arrived(
        _ journals: [JournalName], _ ends: [JournalEnd], in copy: RegionServer, until deadline: ContinuousClock.Instant
    ) async throws -> [JournalEnd] {
        while true {
            let copyEnds = try await copy.ends(of: journals)
            let isThere = zip(ends, copyEnds).allSatisfy { end, copyEnd in
                max(copyEnd.last ?? .zero, copyEnd.floor) >= end.last ?? .zero
            }
            if isThere || ContinuousClock.now >= deadline { return copyEnds }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
