internal import NIOCore
internal import PostgresClient
internal import Projection
internal import Provisioning
internal import RedisClient
internal import RegionConfig
internal import RESP
internal import Reconciliation
internal import Worker

/// Looks again at what looked wrong in one region's cache, until it is right or must count as wrong.
///
/// Provisioning may be moving: what PostgreSQL has may not have reached the cache yet, or the cache be ahead of the
/// snapshot. A suspect counts once PostgreSQL's side stayed the same between two looks, the region had projected
/// everything committed before the first of them, and the cache still differed at the second; or when time is up.
struct SecondLook {
    private let comparison: ObjectComparison
    private let region: RegionServer
    private let progress: ProjectionProgress
    private let connection: PostgresConnection
    /// What PostgreSQL had at the look before, as a hash.
    private var before: [Suspect: Int] = [:]

    init(
        _ comparison: ObjectComparison, region: RegionServer, progress: ProjectionProgress,
        connection: PostgresConnection
    ) {
        self.comparison = comparison
        self.region = region
        self.progress = progress
        self.connection = connection
    }

    /// What is wrong, once that is certain or at `deadline`.
    mutating func confirm(
        _ suspects: Set<Suspect>, until deadline: ContinuousClock.Instant
    ) async throws -> [CacheFinding] {
        var open = suspects
        var findings: [CacheFinding] = []
        var passedLSN: UInt64?
        var pause = Duration.milliseconds(50)
        while !open.isEmpty {
            // The order matters: passed, then the cache, then PostgreSQL.
            let hasPassed = if let passedLSN { try await progress.hasPassed(passedLSN, region) } else { false }
            let wrong = try await look(at: open)
            let isLast = ContinuousClock.now >= deadline
            for (suspect, (problem, state)) in wrong where isLast || (hasPassed && before[suspect] == state) {
                findings.append(finding(suspect, problem))
            }
            open = isLast ? [] : Set(wrong.keys.filter { !hasPassed || before[$0] != wrong[$0]?.state })
            before = wrong.mapValues(\.state)
            guard !open.isEmpty else { break }
            passedLSN = try await ProjectionProgress.endOfWAL(connection)
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(500))
        }
        return findings.sorted { ($0.object, $0.problem.name) < ($1.object, $1.problem.name) }
    }

    /// The suspects that are still wrong, each with a hash of what PostgreSQL has.
    private func look(at suspects: Set<Suspect>) async throws -> [Suspect: (problem: CacheProblem, state: Int)] {
        var wrong: [Suspect: (problem: CacheProblem, state: Int)] = [:]
        var objects: [Int: [ObjectName]] = [:]
        var buckets: [Int: [BucketName]] = [:]
        for suspect in suspects {
            switch suspect {
            case .object(let table, let tenant, let key):
                objects[table, default: []].append(ObjectName(tenant: tenant, key: key))
            case .bucket(let table, let tenant, let bucket):
                buckets[table, default: []].append(BucketName(tenant: tenant, bucket: bucket))
            case .indexEntry(let table, let tenant, let index, let value, let id):
                let replies = try await region.ask(
                    comparison.commands(forEntry: value, of: id, index: index, tenant: tenant, table: table))
                let isThere = replies[0].integer == 1 || replies[0].string == id
                if isThere, replies[1].bytes != value {
                    let field = comparison.tables[table].table.indexes[index].field
                    wrong[suspect] = (.staleIndex(field: field), 0)
                }
            case .halfApplied(let tenant):
                let mark = try await region.ask("HGET", ProjectionKeys.cursors(tenant: tenant), "applying")
                if let mark = mark.string { wrong[suspect] = (.halfApplied, mark.hashValue) }
            case .quarantined(let tenant, let name):
                let member = try await region.ask("SISMEMBER", ProjectionKeys.quarantine(tenant: tenant), name)
                if member.integer == 1 { wrong[suspect] = (.quarantined, 0) }
            case .foreignKey(let key):
                if try await region.ask("EXISTS", key).integer == 1 { wrong[suspect] = (.foreignKey, 0) }
            }
        }
        for (table, names) in objects {
            for (name, problem) in try await look(at: names, of: table) {
                wrong[.object(table: table, tenant: name.tenant, key: name.key)] = problem
            }
        }
        for (table, names) in buckets {
            for (name, problem) in try await look(at: names, of: table) {
                wrong[.bucket(table: table, tenant: name.tenant, bucket: name.bucket)] = problem
            }
        }
        return wrong
    }

    private struct ObjectName: Hashable {
        let tenant: String
        let key: String
    }

    private struct BucketName: Hashable {
        let tenant: String
        let bucket: Int
    }

    /// The cache is read between two looks at PostgreSQL, since it may be ahead of the first one.
    private func look(
        at names: [ObjectName], of table: Int
    ) async throws -> [ObjectName: (problem: CacheProblem, state: Int)] {
        var wrong: [ObjectName: (problem: CacheProblem, state: Int)] = [:]
        let published = comparison.tables[table]
        for start in stride(from: 0, to: names.count, by: 2_000) {
            let some = names[start..<min(start + 2_000, names.count)]
            let earlier = try await rows(of: some, published)
            let commands = some.map { name in
                earlier[name].map { comparison.commands(for: $0, of: table) }
                    ?? comparison.absenceCommands(tenant: name.tenant, key: name.key, of: table)
            }
            var answers = try await region.ask(commands.flatMap(\.self))[...]
            var problems: [ObjectName: CacheProblem] = [:]
            for (name, asked) in zip(some, commands) {
                var replies = answers.prefix(asked.count)
                answers = answers.dropFirst(asked.count)
                if let row = earlier[name] {
                    problems[name] = comparison.problem(with: row, of: table, in: &replies)
                } else if replies.contains(where: { $0.integer == 1 }) {
                    problems[name] = .extra
                }
            }
            let later = problems.isEmpty ? [:] : try await rows(of: problems.keys.map(\.self)[...], published)
            for (name, problem) in problems {
                wrong[name] = (problem, Self.state(earlier[name], later[name]))
            }
        }
        return wrong
    }

    /// A hash of what PostgreSQL had all the while; any number if that changed.
    private static func state<Value: Hashable>(_ earlier: Value?, _ later: Value?) -> Int {
        earlier == later ? earlier.hashValue : Int.random(in: .min ... .max)
    }

    private func rows(
        of names: ArraySlice<ObjectName>, _ table: PublishedTable
    ) async throws -> [ObjectName: StoredObject] {
        let query = table.rowsQuery(names.map { ($0.tenant, $0.key) })
        let answer = try await connection.query(query.sql, query.parameters, timeout: .seconds(120))
        return Dictionary(
            try table.rows(in: answer).map { (ObjectName(tenant: $0.tenant, key: $0.key), $0) },
            uniquingKeysWith: { first, _ in first })
    }

    private func look(
        at names: [BucketName], of table: Int
    ) async throws -> [BucketName: (problem: CacheProblem, state: Int)] {
        let published = comparison.tables[table]
        let earlier = try await digests(of: names, published)
        let replies = try await region.ask(
            names.map { name in
                RedisCommand(
                    "HMGET", ProjectionKeys.digests(tenant: name.tenant, type: published.table.type),
                    "\(name.bucket):n", "\(name.bucket):d")
            })
        let wrong = zip(names, replies).filter { name, reply in
            BucketDigest(count: reply[0]?.string, sum: reply[1]?.string) != earlier[name, default: BucketDigest()]
        }.map(\.0)
        let later = wrong.isEmpty ? [:] : try await digests(of: wrong, published)
        return Dictionary(
            wrong.map { ($0, (.digest(bucket: $0.bucket), Self.state(earlier[$0], later[$0]))) },
            uniquingKeysWith: { first, _ in first })
    }

    private func digests(
        of names: [BucketName], _ table: PublishedTable
    ) async throws -> [BucketName: BucketDigest] {
        let answer = try await connection.query(
            table.bucketsSQL,
            [PostgresText.array(names.map(\.tenant)), PostgresText.array(names.map { "\($0.bucket)" })],
            timeout: .seconds(120))
        var digests: [BucketName: BucketDigest] = [:]
        for row in answer {
            let name = BucketName(tenant: try row.string("tenant"), bucket: try row.integer("bucket"))
            digests[name] = BucketDigest(count: try row.integer("count"), sum: try row.integer("digest"))
        }
        return digests
    }

    private func finding(_ suspect: Suspect, _ problem: CacheProblem) -> CacheFinding {
        let object =
            switch suspect {
            case .object(let table, let tenant, let key): "\(tenant)/\(comparison.tables[table].table.type)/\(key)"
            case .indexEntry(let table, let tenant, _, _, let id):
                "\(tenant)/\(comparison.tables[table].table.type)/\(id)"
            case .bucket(let table, let tenant, _): "\(tenant)/\(comparison.tables[table].table.type)"
            case .halfApplied(let tenant): tenant
            case .quarantined(let tenant, let name): "\(tenant)/\(name.replacing(":", with: "/", maxReplacements: 1))"
            case .foreignKey(let key): key
            }
        return CacheFinding(region: region.name, object: object, problem: problem, suspect: suspect)
    }
}
