package import Observability
package import Projection
internal import RESP
package import RESPServer
package import RegionConfig
package import Tenants

/// The commands of the provisioning port that read: objects by id, by index and in lists, what types there are, and how
/// fresh all of it is.
///
/// `CFG.GET` is answered from memory at once where it can be; everything else is read from the local Redis, each call at one
/// instant. A transaction that is being applied in several calls is waited for, so that its objects are seen all or none.
package struct ConfigReads: Sendable {
    /// Ids that one `CFG.FIND` answers.
    static let foundLimit = 10_000
    /// Reads of many objects that go on at a time: each may bring as much as one reply has.
    static let readersAtOnce = 32
    /// How long a reader waits before it looks again whether a transaction is applied, where nothing tells it.
    private static let longestWait = Duration.milliseconds(50)

    let cache: TrackedCache
    let tenants: TenantLookup
    let catalog: Catalog
    let progress: ProvisioningProgress
    let freshness: Freshness
    let turns = ReadingTurns(ConfigReads.readersAtOnce)
    private let types: Set<String>
    private let waiting: any TokenWaiting
    private let bell: ProgressBell

    /// - Parameters:
    ///   - region: This region's name.
    ///   - cache: The local Redis; `run` of it has to be run.
    ///   - tenants: The tenants there are.
    ///   - catalog: The types there are.
    ///   - waiting: Knows which writes are visible here.
    ///   - progress: How far provisioning is projected, and what other regions say of capture.
    ///   - states: What the worker's components say of themselves.
    package init(
        region: String, cache: TrackedCache, tenants: TenantLookup, catalog: Catalog, waiting: any TokenWaiting,
        progress: ProvisioningProgress, states: ComponentStates
    ) {
        self.cache = cache
        self.tenants = tenants
        self.catalog = catalog
        self.waiting = waiting
        self.progress = progress
        freshness = Freshness(region: region, states: states, progress: progress)
        types = Set(catalog.tables.map(\.type))
        bell = ProgressBell(progress)
    }

    /// Keeps an eye on how fresh reads are, until cancelled.
    package func run() async { await freshness.run() }

    package var commands: [Command] {
        [getCommand, mgetCommand, findCommand, listCommand, typesCommand, describeCommand, stateCommand]
    }

    /// What `INFO` says of memory.
    package var information: (section: String, lines: [(key: String, value: String)]) {
        let usage = cache.memory.usage
        return (
            "Cache",
            [
                ("cache_objects", "\(usage.objects)"), ("cache_bytes", "\(usage.bytes)"),
                ("cache_limit_bytes", "\(usage.limit)"), ("cache_hits", "\(usage.hits)"),
                ("cache_misses", "\(usage.misses)"),
            ]
        )
    }
}

// MARK: - What all reads have in common

extension ConfigReads {
    /// What a command answers that may be refused.
    ///
    /// All of it is done again where Redis was emptied meanwhile, or lost and found: what was waited for, as a token, was in
    /// the one before, and need not be in the one that was read. `body` is told when the command began: its time counts
    /// from there, however often it is done.
    func answer(_ body: (ContinuousClock.Instant) async throws(ReplyError) -> Reply) async -> Reply {
        let began = ContinuousClock.now
        while true {
            let life = cache.memory.life
            let reply: Reply
            do throws(ReplyError) {
                reply = try await body(began)
            } catch {
                return .error(error)
            }
            if cache.memory.life == life || Task.isCancelled { return reply }
        }
    }

    /// The object type that a word names.
    func type(_ request: Request, at index: Int) throws(ReplyError) -> String {
        let word = request.text(index) ?? ""
        guard types.contains(word) else { throw ReadError.noSuchType(word) }
        return word
    }

    /// The tenant that is meant. What the region has not come to is waited for first, unless the port closes: the tenant may be
    /// younger.
    func tenant(
        _ invocation: Invocation, _ options: ReadOptions, until deadline: ContinuousClock.Instant
    ) async throws(ReplyError) -> Int64 {
        if let token = options.token {
            let patience = max(deadline - ContinuousClock.now, .zero)
            let (verdict, isDraining) = await invocation.client.cancellingOnDrain { [waiting] in
                await waiting.wait(for: token, within: patience)
            }
            guard verdict == .visible || !isDraining else { throw ReplyError.closing }
            switch verdict {
            case .visible?: break
            case .timedOut?: throw ReadError.tokenTimeout
            case .unknown?: throw ReadError.unknownToken
            case .unavailable?, nil: throw ReadError.away
            }
        }
        return try await tenants.tenant(in: invocation.request, at: 1, for: invocation.account)
    }

    /// The session with Redis; refused at once where there is none.
    func session() throws(ReplyError) -> any CacheSession {
        guard let session = cache.session else { throw ReadError.away }
        return session
    }

    /// Tries until something comes of it, which is not while a transaction is half there.
    func whole<Value>(
        until deadline: ContinuousClock.Instant, _ attempt: () async throws(ReplyError) -> Value?
    ) async throws(ReplyError) -> Value {
        while true {
            let rings = bell.rings
            if let value = try await attempt() { return value }
            let left = deadline - ContinuousClock.now
            guard left > .zero, !Task.isCancelled else { throw ReadError.halfThere }
            await bell.wait(after: rings, atMost: min(left, Self.longestWait))
        }
    }

    /// One read of a tenant's state, as it is when no transaction is half there.
    func read(
        _ commands: [RedisCommand], of tenant: Int64, until deadline: ContinuousClock.Instant
    ) async throws(ReplyError) -> TenantRead {
        try await whole(until: deadline) { () async throws(ReplyError) -> TenantRead? in
            let read = try await session().read(commands, of: tenant)
            return read.isWhole ? read : nil
        }
    }

    /// Nothing was found of a tenant of which nothing was ever projected: in a cache that is empty that says nothing.
    func confirm(_ read: TenantRead) async throws(ReplyError) {
        guard read.position == nil, try await session().trailingPosition() == nil else { return }
        throw ReadError.nothingProjected
    }
}
