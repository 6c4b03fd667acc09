import Journal
import Projection
import RESP

/// Projects provisioning journals to their ends on one thread, and can stop between any two calls.
struct ProvisioningRun {
    let redis: PlainRedis
    var journals = [JournalName.provisioning(origin: "us-east"), .provisioning(origin: "eu-west")]
    var limits = ProvisioningFold.Limits()
    /// Commands to carry out before the projection is killed; nil: never.
    var budget: Int?
    /// A command that the server refuses though it carries out those behind it; nil: none.
    var refused: Int?
    /// Bytes of calls that are sent together.
    var sentBytes = 2 << 20
    /// What a fold before this one has taken.
    var counted: [JournalName: EntryID] = [:]

    struct Result {
        var counts = ProvisioningFold.Counts()
        var counted: [JournalName: EntryID] = [:]
        var problems: [ProvisioningFold.Problem] = []
        /// Commands carried out.
        var commands = 0
        /// Or a command was refused, which ends a session as well.
        var wasKilled = false
    }

    struct Killed: Error {}

    func run(staleness: Staleness? = nil) async throws -> Result {
        try redis.loadFunctions()
        let held = try redis.hash(ProjectionKeys.trailing)
        var trailing = held["provisioning"].flatMap { Position($0) } ?? .zero
        var cursors: [String: TenantCursor] = [:]
        var quarantined: Set<ObjectName> = []
        for tenant in try redis.members(tenantsKey) {
            let held = try redis.hash(ProjectionKeys.cursors(tenant: tenant))
            cursors[tenant] = TenantCursor(
                held["provisioning"].flatMap { Position($0) } ?? .zero, mark: held["applying"] ?? "")
            for name in try redis.members(ProjectionKeys.quarantine(tenant: tenant)) {
                let parts = name.split(separator: ":", maxSplits: 1).map(String.init)
                quarantined.insert(ObjectName(tenant: tenant, type: parts[0], key: parts[1]))
            }
        }
        var fold = ProvisioningFold(
            journals: journals, layouts: IndexLayouts(Script.catalog), trailing: trailing, cursors: cursors,
            quarantined: quarantined, counted: counted, staleness: staleness,
            inexactness: Inexactness(held["inexact"] ?? ""), limits: limits)
        let store = Killable(redis: redis, budget: budget, refused: refused)
        var performer = ProvisioningPerformer(store: store, sentBytes: sentBytes)
        var result = Result()
        do {
            while true {
                var hasMore = true
                while hasMore {
                    hasMore = try await performer.perform(
                        &fold, trailing: trailing, noted: { result.problems.append($1) })
                    let completed = fold.completed
                    for reply in await store.send(performer.take()).replies() { _ = try reply.get() }
                    guard completed > trailing else { continue }
                    let advance = ProjectionFunctions.advance(from: trailing, to: completed)
                    for reply in await store.send([advance]).replies() { _ = try reply.get() }
                    trailing = completed
                }
                let reads = try await redis.read(behind: fold.wanted, patience: .zero)
                if reads.isEmpty { break }
                for read in reads { try fold.read(read) }
            }
        } catch is StoreFailure {
            result.wasKilled = true
        }
        result.counts = fold.counts
        result.counted = fold.counted
        result.commands = store.sent
        return result
    }
}

/// A store whose link is cut for good after a number of commands, and which refuses one of them.
final class Killable: ProjectionStore, @unchecked Sendable {
    private let redis: PlainRedis
    private var budget: Int?
    private let refused: Int?
    private(set) var sent = 0

    init(redis: PlainRedis, budget: Int?, refused: Int? = nil) {
        self.redis = redis
        self.budget = budget
        self.refused = refused
    }

    func send(_ commands: [RedisCommand]) async -> SentCommands {
        var results: [Result<StoreReply, StoreFailure>] = []
        for command in commands {
            guard budget != 0 else {
                results.append(.failure(.unreachable("killed")))
                continue
            }
            budget = budget.map { $0 - 1 }
            sent += 1
            if sent == refused {
                results.append(.failure(.server(code: "OOM", message: "command not allowed")))
            } else {
                results += await redis.send([command]).replies()
            }
        }
        return SentCommands { [results] in results }
    }
}
