internal import CrashPoints
package import Journal
package import Projection
internal import Provisioning
package import RegionConfig
internal import RESP

/// Puts one region's cache right where it differs from PostgreSQL: drives `RepairRound`s, and counts buckets anew.
package struct Repairer: Sendable {
    package typealias ObjectName = ProvisioningEntry.ObjectName

    /// Objects that are proven with one snapshot.
    package static let batch = 1000
    /// Objects that one call changes, so that Redis answers others in between.
    private static let callObjects = 128

    private let source: any RepairSource
    private let cache: CachedObjects
    let layouts: IndexLayouts
    let mends: Bool
    private let patience: Duration

    /// Of a cache with this catalog. If it does not mend, it only judges. `patience` bounds how long objects are looked at
    /// that change or whose transactions are not over.
    package init(
        source: any RepairSource, cache: CachedObjects, catalog: Catalog, mends: Bool = true,
        patience: Duration = .seconds(10)
    ) {
        self.source = source
        self.cache = cache
        self.mends = mends
        self.patience = patience
        layouts = IndexLayouts(catalog)
    }

    /// What became of some objects.
    package struct Outcomes: Sendable {
        package var byName: [ObjectName: RepairRound.Outcome] = [:]
        /// Why some could not be judged.
        package var trouble: String?

        package func names(_ outcome: RepairRound.Outcome) -> [ObjectName] {
            byName.filter { $0.value == outcome }.keys
                .sorted { ($0.tenant, $0.type, $0.key) < ($1.tenant, $1.type, $1.key) }
        }
    }

    /// Loads the functions; to be done before the first call, since another server, or none, may have them.
    package func prepare() async throws(StoreFailure) {
        _ = try await cache.store.answers([ProjectionFunctions.library.loadCommand])
    }

    /// Looks at these objects, and again at those that change while they are looked at, until all are judged or patience
    /// is over.
    package func settle(_ candidates: [RepairRound.Candidate]) async throws -> Outcomes {
        var outcomes = Outcomes()
        for start in stride(from: 0, to: candidates.count, by: Self.batch) {
            let deadline = ContinuousClock.now + patience
            var open = Array(candidates[start..<min(start + Self.batch, candidates.count)])
            while !open.isEmpty {
                let round = try await round(open, until: deadline)
                outcomes.byName.merge(round.outcomes) { _, new in new }
                outcomes.trouble = round.trouble ?? outcomes.trouble
                open = open.filter { round.outcomes[$0.name] == .unsettled }
                guard !open.isEmpty, ContinuousClock.now < deadline else { break }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        return outcomes
    }

    private func round(
        _ candidates: [RepairRound.Candidate], until deadline: ContinuousClock.Instant
    ) async throws -> RepairRound {
        let began = ContinuousClock.now
        let token = String(UInt64.random(in: .min ... .max), radix: 16)
        var round = RepairRound(candidates, mends: mends, patience: max(deadline - began, .seconds(1)), now: .zero)
        while !round.isOver {
            guard let action = round.nextAction(now: ContinuousClock.now - began) else {
                guard let retryAt = round.deadline else { break }
                try await Task.sleep(until: began + retryAt)
                continue
            }
            switch action {
            case .watch(let names):
                round.watched(try await watch(names, token))
                CrashPoint.repairWatched.pass()
            case .readHorizon: round.horizonRead(try await source.horizon())
            case .readRows(let names):
                round.rowsRead(try await source.rows(of: names), now: ContinuousClock.now - began)
            case .readCursor:
                round.projected(try await cache.projected(), now: ContinuousClock.now - began)
            case .move:
                try await source.move()
                CrashPoint.repairMoved.pass()
                round.moved()
            case .mend(let mends, let version):
                round.mended(try await mend(mends, version, token))
                CrashPoint.repairMended.pass()
            case .release(let names):
                round.released(try await release(names, token))
                CrashPoint.repairReleased.pass()
            }
        }
        return round
    }

    // MARK: Calls

    private func watch(_ names: [ObjectName], _ token: String) async throws -> [ObjectName: ObjectDigest] {
        let groups = Self.grouped(names)
        let answers = try await cache.store.answers(
            groups.map { RepairCalls.watch($0.map(\.key), tenant: $0[0].tenant, type: $0[0].type, token: token) })
        var digests: [ObjectName: ObjectDigest] = [:]
        for (group, answer) in zip(groups, answers) {
            for (name, digest) in zip(group, answer.elements) {
                digests[name] = digest.text.flatMap { UInt64($0) }.map { ObjectDigest(value: $0) }
            }
        }
        return digests
    }

    private func release(_ names: [ObjectName], _ token: String) async throws -> [Bool] {
        let groups = Self.grouped(names)
        let answers = try await cache.store.answers(
            groups.map { RepairCalls.release($0.map(\.key), tenant: $0[0].tenant, type: $0[0].type, token: token) })
        return answers.flatMap { $0.elements.map { $0 == .integer(1) } }
    }

    private func mend(_ mends: [RepairRound.Mend], _ version: Position, _ token: String) async throws -> [Bool?] {
        var written: [Bool?] = []
        for group in Self.grouped(mends, by: \.name) {
            let (command, places) = RepairCalls.mend(
                group.map { ($0.name.key, $0.row?.columns) }, tenant: group[0].name.tenant, type: group[0].name.type,
                token: token, version: version, layouts: layouts)
            let answer = try await cache.store.answers([command])
            var results = [Bool?](repeating: nil, count: group.count)
            for (place, result) in zip(places, answer.first?.elements ?? []) { results[place] = result == .integer(1) }
            written += results
        }
        return written
    }

    private static func grouped(_ names: [ObjectName]) -> [[ObjectName]] { grouped(names, by: \.self) }

    /// Neighbours of the same tenant and type, as many as one call takes.
    private static func grouped<Element>(_ elements: [Element], by name: (Element) -> ObjectName) -> [[Element]] {
        var groups: [[Element]] = []
        for element in elements {
            if let last = groups.last?.last, let size = groups.last?.count, size < callObjects,
                name(last).tenant == name(element).tenant, name(last).type == name(element).type
            {
                groups[groups.count - 1].append(element)
            } else {
                groups.append([element])
            }
        }
        return groups
    }
}

// What a cache says of itself, and needs no PostgreSQL to be put right.
extension Repairer {
    /// Counts buckets of one tenant and type anew; answers those whose counters were wrong. A bucket whose counters move
    /// meanwhile is left alone.
    package func recount(_ buckets: Set<Int>, tenant: String, type: String) async throws -> Set<Int> {
        guard mends, !buckets.isEmpty else { return [] }
        let order = buckets.sorted()
        let key = ProjectionKeys.digests(tenant: tenant, type: type)
        let before = try await cache.store.answers(
            order.map { RedisCommand("HMGET", key, "\($0):n", ProjectionKeys.digestField(bucket: $0)) })
        var keys: [Int: Set<String>] = [:]
        try await cache.forEachKey(tenant: tenant, type: type) { page in
            for key in page {
                let bucket = Bucket.index(ofKey: key.utf8)
                if buckets.contains(bucket) { keys[bucket, default: []].insert(key) }
            }
        }
        var wrong: Set<Int> = []
        for (bucket, counters) in zip(order, before) {
            let old = counters.elements.map { $0.text ?? "0" }
            guard old.count == 2 else { continue }
            let answer = try await cache.ask(
                RepairCalls.recount(
                    bucket: bucket, keys: keys[bucket, default: []].sorted(), tenant: tenant, type: type, count: old[0],
                    sum: old[1]))
            let new = answer.elements.map { $0.text ?? "0" }
            if new.count == 2, new != old { wrong.insert(bucket) }
        }
        if !wrong.isEmpty { CrashPoint.repairRecounted.pass() }
        return wrong
    }
}
