internal import Journal
internal import Logging
internal import Observability
internal import PostgresClient
internal import Projection
internal import Reconciliation
internal import RegionConfig

/// Compares the region's cache with PostgreSQL again and again, at a low rate, and puts right what differs for good.
struct ContinuousVerification {
    static let component = "verification"
    private static let pollInterval = Duration.seconds(1)
    private static let longestPause = Duration.seconds(60)
    /// A stale cache is not left as it is until the next pass is due.
    private static let firstRetry = Duration.seconds(2)

    let settings: Region.Verification
    let catalog: Catalog
    let source: PostgresRepairSource
    let cache: CachedObjects
    let states: ComponentStates
    let metrics: MetricsRegistry
    let logger: Logger
    /// Told of each type of which objects were put right, behind that.
    let repaired: @Sendable (_ type: String) -> Void

    /// Runs until cancelled.
    func run() async {
        states.set(
            Self.component,
            ComponentState("scheduled", .waiting, reason: "the first pass begins after \(settings.delay)"))
        let began = ContinuousClock.now
        var schedule = VerificationSchedule(
            tables: catalog.tables.count, interval: settings.interval, delay: settings.delay, now: .zero)
        var stale: Staleness?
        // What stood there when the pass began: what is met later, the pass may not have seen.
        var inexactness: String?
        var pause = Duration.seconds(1)
        var retry = Self.firstRetry
        // Whether the state says what kept a pass from going on.
        var isInterrupted = false
        while !Task.isCancelled {
            do {
                let before = stale
                let standing = try await cache.standing()
                stale = standing.staleness
                if let stale {
                    set(.staleCache(stale))
                    isInterrupted = true
                }
                if let stale, stale != before, stale.endsWithVerification {
                    schedule.requested(at: ContinuousClock.now - began)
                }
                // An empty cache awaits its first snapshot, a stale one what capture finds.
                if standing.projected > .zero, stale?.endsWithVerification ?? true,
                    let table = schedule.table(now: ContinuousClock.now - began)
                {
                    if table == 0 { inexactness = standing.inexactness }
                    let isEqual = try await verify(table)
                    if isEqual, isInterrupted, stale == nil {
                        set(ComponentState("comparing", .working))
                        isInterrupted = false
                    }
                    let wasEqual = schedule.verified(isEqual: isEqual, now: ContinuousClock.now - began)
                    if wasEqual == true {
                        try await passed(stale, inexactness)
                        retry = Self.firstRetry
                    } else if wasEqual == false, stale != nil {
                        schedule.requested(at: ContinuousClock.now - began + retry)
                        retry = min(retry * 2, Self.longestPause)
                    }
                    pause = .seconds(1)
                    continue
                }
            } catch {
                guard !Task.isCancelled else { break }
                set(ComponentState("waiting", .waiting, reason: "\(error)"))
                isInterrupted = true
                schedule.failed(pause: pause, now: ContinuousClock.now - began)
                pause = min(pause * 2, Self.longestPause)
            }
            // Only a pass needs its connections, the next of which may be in an hour.
            await source.close()
            try? await Task.sleep(for: Self.pollInterval)
        }
        await source.close()
    }

    /// Whether the table's objects are equal now.
    private func verify(_ table: Int) async throws -> Bool {
        let type = catalog.tables[table].type
        let repairer = Repairer(source: source, cache: cache, catalog: catalog, mends: settings.repair)
        try await repairer.prepare()
        var verification = TableVerification(
            table, of: catalog, source: source, cache: cache, repairer: repairer,
            objectsPerSecond: settings.objectsPerSecond)
        let outcome: Result<TableVerification.Result, any Error>
        do { outcome = .success(try await verification.run()) } catch { outcome = .failure(error) }
        if verification.mayHaveWritten { repaired(type) }
        let result = try outcome.get()
        metrics.gauge(.verifyDriftObjects, [.type: type]).set(result.drifted + result.unsettled)
        if let first = result.replaced.first {
            metrics.counter(.projectionReplaced).add(result.replaced.count)
            logger.error(
                "Keys of the cache held something else and were replaced",
                [.key: "\(first)", .count: "\(result.replaced.count)"])
        }
        if result.rebuilt > 0 {
            logger.warning(
                "Objects whose keys and indexes were replaced were written anew",
                [.objectType: "\(type)", .objects: "\(result.rebuilt)"])
        }
        if result.mended > 0 {
            metrics.counter(.verifyRepaired, [.type: type]).add(result.mended)
            logger.warning(
                "Objects differed from PostgreSQL and were put right",
                [.objectType: "\(type)", .objects: "\(result.mended)"])
        }
        if !result.isEqual {
            logger.error(
                "Objects differ from PostgreSQL",
                [
                    .objectType: "\(type)", .objects: "\(result.drifted)", .unsettled: "\(result.unsettled)",
                    .reason: "\(result.trouble ?? "")",
                ])
            set(.drift(result, type, repairs: settings.repair))
        }
        return result.isEqual
    }

    /// A whole pass found all equal; `stale` was what the cache was marked with all the while, `inexactness` what was known
    /// to be amiss when it began.
    private func passed(_ stale: Staleness?, _ inexactness: String?) async throws {
        metrics.gauge(.verifyLastSuccessTimestampSeconds).set(Timestamp.now.seconds)
        if let stale { try await cache.noteFresh(stale) }
        if let inexactness { try await cache.noteExact(inexactness) }
        set(ComponentState("equal", .working))
    }

    private func set(_ state: ComponentState) {
        states.set(Self.component, state, logging: "Verification changed its state", to: logger)
    }
}

extension ComponentState {
    fileprivate static func staleCache(_ staleness: Staleness) -> ComponentState {
        ComponentState("stale", .degraded, reason: staleness.reason)
    }

    fileprivate static func drift(
        _ result: TableVerification.Result, _ type: String, repairs: Bool
    ) -> ComponentState {
        ComponentState(
            "drift", .degraded,
            reason: "of type \(type) \(result.drifted) objects differ from PostgreSQL and \(result.unsettled) could "
                + "not be judged" + (result.trouble.map { ": \($0)" } ?? ""),
            advice: repairs
                ? "regionsync verify names the objects"
                : "regionsync verify --repair puts them right; or set verification.repair in the region file")
    }
}
