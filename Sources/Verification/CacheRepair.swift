internal import Journal
internal import Projection
internal import Provisioning
internal import Reconciliation
internal import RegionConfig
internal import Worker

/// Puts right what a verification found amiss in one region's cache: objects against PostgreSQL, each proven once more;
/// then index entries and counters against the objects.
package struct CacheRepair {
    typealias ObjectName = ProvisioningEntry.ObjectName

    /// What was put right.
    package struct Result: Sendable {
        package let region: String
        package fileprivate(set) var count = 0
        /// `101/person/17`, `101/person by user_name` or `101/person bucket 5`; some only where there were too many to be
        /// named.
        package fileprivate(set) var names: [String] = []
    }

    let catalog: Catalog
    let region: RegionServer
    let source: PostgresRepairSource
    let patience: Duration

    /// `isFlooded`: there is more than what was found, so that everything is compared by digests first.
    func run(_ findings: [CacheFinding], isFlooded: Bool) async throws -> Result {
        var result = Result(region: region.name)
        let cache = CachedObjects(store: region)
        let repairer = Repairer(
            source: source, cache: cache, catalog: catalog, patience: max(patience, .seconds(1)))
        try await repairer.prepare()
        for (index, table) in catalog.tables.enumerated() {
            var verification = TableVerification(
                index, of: catalog, source: source, cache: cache, repairer: repairer)
            guard isFlooded else {
                try await verification.rebuild()
                continue
            }
            let mended = try await verification.run().mended
            result.count += mended
            if mended > 0 { result.names.append("\(mended) of type \(table.type)") }
        }
        let mended = try await repairer.settle(candidates(findings)).names(.mended)
        result.note(mended.map { "\($0.tenant)/\($0.type)/\($0.key)" })
        for finding in findings {
            guard case .indexEntry(let table, let tenant, let index, let value, let id) = finding.suspect else {
                continue
            }
            let (type, field) = (catalog.tables[table].type, catalog.tables[table].indexes[index])
            let answer = try await cache.store.answers([
                RepairCalls.unindex(
                    value: value, key: id, field: field.field, isUnique: field.unique, tenant: tenant, type: type)
            ])
            if answer.first == .integer(1) { result.note(["\(tenant)/\(type) by \(field.field)"]) }
        }
        for (place, buckets) in buckets(findings, mended) {
            let wrong = try await repairer.recount(buckets, tenant: place.tenant, type: place.type)
            result.note(wrong.sorted().map { "\(place.tenant)/\(place.type) bucket \($0)" })
        }
        return result
    }

    /// Objects are written whatever their digests say: something else was found amiss with them.
    private func candidates(_ findings: [CacheFinding]) -> [RepairRound.Candidate] {
        var names: Set<ObjectName> = []
        for finding in findings {
            switch finding.suspect {
            case .object(let table, let tenant, let key):
                names.insert(ObjectName(tenant: tenant, type: catalog.tables[table].type, key: key))
            case .quarantined(let tenant, let name):
                let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                guard parts.count == 2, catalog.tables.contains(where: { $0.type == parts[0] }) else { continue }
                names.insert(ObjectName(tenant: tenant, type: parts[0], key: parts[1]))
            case .indexEntry, .bucket, .halfApplied, .foreignKey: continue
            }
        }
        return names.sorted { ($0.tenant, $0.type, $0.key) < ($1.tenant, $1.type, $1.key) }
            .map { RepairRound.Candidate($0, isForced: true) }
    }

    private struct Place: Hashable {
        let tenant: String
        let type: String
    }

    /// Buckets whose counters were found wrong, and those of objects that were put right.
    private func buckets(_ findings: [CacheFinding], _ mended: [ObjectName]) -> [Place: Set<Int>] {
        var buckets: [Place: Set<Int>] = [:]
        for name in mended {
            buckets[Place(tenant: name.tenant, type: name.type), default: []]
                .insert(Bucket.index(ofKey: name.key.utf8))
        }
        for finding in findings {
            guard case .bucket(let table, let tenant, let bucket) = finding.suspect else { continue }
            buckets[Place(tenant: tenant, type: catalog.tables[table].type), default: []].insert(bucket)
        }
        return buckets
    }
}

extension CacheRepair.Result {
    fileprivate mutating func note(_ names: [String]) {
        self.names += names
        count += names.count
    }
}
