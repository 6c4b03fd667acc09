import Foundation
import NIOCore
import NIOPosix
import PostgresClient
import RegionConfig
import Synchronization
import Traffic

/// Fills PostgreSQL with tenants, changes them, writes voice events into every region's Redis, keeps the ledger of it, and
/// measures how long both take to be seen elsewhere.
///
/// It is no part of the worker and shares none of its state: what it says about the worker is a witness's word. Run it once.
package final class Generator: Sendable {
    /// How long calls may take to end, answers to come and copies to arrive once it is to stop.
    private static let patience = TimeAmount.seconds(10)

    private let settings: GeneratorSettings
    private let access: DatabaseAccess
    private let say: @Sendable (String) -> Void
    private let group: MultiThreadedEventLoopGroup
    private let eventLoop: any EventLoop
    private let threads: NIOThreadPool
    private let stopped: StopSignal

    /// `say` gets lines for people. Throws `GeneratorError` for settings that cannot be.
    package init(_ settings: GeneratorSettings, say: @escaping @Sendable (String) -> Void) throws(GeneratorError) {
        try settings.check()
        guard let access = DatabaseAccess(settings) else { throw .setting("expected at least one region") }
        self.settings = settings
        self.access = access
        self.say = say
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        eventLoop = group.next()
        threads = NIOThreadPool(numberOfThreads: 1)
        stopped = StopSignal()
    }

    /// Ends calls, waits for what is under way, and lets `run` return.
    package func stop() { stopped.stop() }

    /// Runs until the time is up or `stop` is called; gives the last report, nil where only tenants were made. Throws
    /// `GeneratorError`.
    package func run() async throws -> GeneratorReport? {
        threads.start()
        defer {
            threads.shutdownGracefully { _ in }
            group.shutdownGracefully { _ in }
        }
        let ledgers = try Ledgers(settings, threads: threads) { [stopped] in stopped.fail($0) }
        var report: GeneratorReport?
        if let prepared = try await stopped.unlessStopped({ try await self.prepare(ledgers) }) {
            report = settings.fillsOnly ? nil : try await produce(prepared, ledgers)
            if settings.fillsOnly { await prepared.database.connection.close() }
        }
        await ledgers.close()
        if let failure = stopped.failure { throw failure }
        return report
    }

    // MARK: Tenants

    private struct Prepared: Sendable {
        let database: GeneratedDatabase
        let tenants: [Int64]
        let inventories: [TenantInventory]
    }

    private func prepare(_ ledgers: Ledgers) async throws -> Prepared {
        while true {
            let database = try await access.connectPatiently(say)
            do {
                let tenants = try await access.tenants(in: database, ledger: ledgers.provisioning, say: say)
                if settings.fillsOnly { return Prepared(database: database, tenants: tenants, inventories: []) }
                let inventories = TenantInventory.tenants(in: try await database.rows(of: tenants))
                return Prepared(database: database, tenants: tenants, inventories: inventories)
            } catch let error as PostgresError {
                await database.connection.close()
                if settings.fillsOnly || error.sqlState != nil { throw GeneratorError.postgres("\(error)") }
                say("PostgreSQL: \(error); connecting again")
            }
        }
    }

    // MARK: Production

    private func produce(_ prepared: Prepared, _ ledgers: Ledgers) async throws -> GeneratorReport? {
        let run = try await eventLoop.submit { [settings, eventLoop] in
            let voice = VoiceTraffic(
                settings, tenants: prepared.inventories, startTime: unixMicroseconds(), eventLoop: eventLoop)
            return NIOLoopBound(
                RunningParts(voice, watches: settings.regions.map { _ in CacheWatch(eventLoop: eventLoop) }),
                eventLoop: eventLoop)
        }.get()
        let changer = ProvisioningChanger(
            settings, ledger: ledgers.provisioning, connect: { [access] in try await access.connect() },
            committed: { [eventLoop] rows, time in eventLoop.execute { run.value.committed(rows, at: time) } }, say: say
        )
        let reporter = Reporter(settings, threads: threads, say: say) { [eventLoop, settings] elapsed, last, isFinal in
            try? await eventLoop.submit {
                run.value.takeReport(
                    elapsed: elapsed, since: last, isFinal: isFinal, changer.counts,
                    regions: settings.regions.map(\.name))
            }.get()
        }
        let tails = try await eventLoop.submit { run.value.voice.tailNames }.get()
        await withTaskGroup { group in
            for link in RedisLinks(settings, run, tails: tails, eventLoop: eventLoop, say: say).all {
                group.addTask { await link() }
            }
            group.addTask { await reporter.run() }
            let ticks = ChangeClock(rate: settings.changesPerSecond, eventLoop: eventLoop)
            let changesEnded = eventLoop.makePromise(of: Void.self)
            group.addTask { [stopped, settings] in
                defer { changesEnded.succeed() }
                guard settings.changesPerSecond > 0 else { return await prepared.database.connection.close() }
                do {
                    try await changer.run(on: prepared.database, tenants: prepared.tenants, ticks: ticks.ticks)
                } catch let error as GeneratorError {
                    stopped.fail(error)
                } catch {
                    stopped.fail(.postgres("\(error)"))
                }
            }
            let flushing = eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(50)) { _ in
                run.value.flush(to: ledgers)
            }
            await stopped.wait(settings.duration)
            changer.stop()
            ticks.stop()
            await end(run, changes: changesEnded.futureResult)
            flushing.cancel()
            try? await eventLoop.submit { run.value.voice.giveUp() }.get()
            group.cancelAll()
        }
        // Only now, with all connections closed, is it known of every event whether an answer came.
        try? await eventLoop.submit { run.value.flush(to: ledgers) }.get()
        return await reporter.final()
    }

    /// Ends calls and changes, and waits a while for what is under way.
    private func end(_ run: NIOLoopBound<RunningParts>, changes: EventLoopFuture<Void>) async {
        guard stopped.failure == nil else { return }
        let isVoiceOn = settings.eventsPerSecond > 0
        let calls = eventLoop.flatSubmit { [eventLoop] in
            isVoiceOn ? run.value.voice.endCalls() : eventLoop.makeSucceededVoidFuture()
        }
        await calls.and(changes).map { _ in }.orAfter(Self.patience)
        if isVoiceOn {
            await eventLoop.flatSubmit { run.value.voice.drain() }.orAfter(.seconds(3))
        }
    }
}

extension EventLoopFuture<Void> {
    /// Returns when it is complete, however, or when `time` has passed.
    fileprivate func orAfter(_ time: TimeAmount) async {
        let promise = eventLoop.makePromise(of: Void.self)
        let late = eventLoop.scheduleTask(in: time) { promise.succeed() }
        whenComplete { _ in
            late.cancel()
            promise.succeed()
        }
        try? await promise.futureResult.get()
    }
}
