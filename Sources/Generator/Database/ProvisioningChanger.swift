import NIOCore
import PostgresClient
import RedisClient
import RegionConfig
import Synchronization
import Traffic

/// Changes the tenants in PostgreSQL, one transaction a tick, as their only writer, and survives PostgreSQL's absence.
final class ProvisioningChanger: Sendable {
    /// Dbids of a table that are reserved at once.
    private static let blockSize = 1000

    private let settings: GeneratorSettings
    private let connect: @Sendable () async throws -> GeneratedDatabase
    private let ledger: LedgerFile?
    private let committed: @Sendable ([CommittedRow], NIODeadline) -> Void
    private let say: @Sendable (String) -> Void
    private let state = Mutex((counts: GeneratorReport.Provisioning(), isStopping: false))

    /// `connect` gives a database of its own; `committed` is told at once of what a transaction left.
    init(
        _ settings: GeneratorSettings, ledger: LedgerFile?,
        connect: @escaping @Sendable () async throws -> GeneratedDatabase,
        committed: @escaping @Sendable ([CommittedRow], NIODeadline) -> Void, say: @escaping @Sendable (String) -> Void
    ) {
        self.settings = settings
        self.ledger = ledger
        self.connect = connect
        self.committed = committed
        self.say = say
    }

    /// What was done so far.
    var counts: GeneratorReport.Provisioning { state.withLock { $0.counts } }

    /// A transaction that PostgreSQL does not take now is not tried any more. End the ticks, too.
    func stop() { state.withLock { $0.isStopping = true } }

    /// Runs a transaction a tick until the ticks end. Throws `GeneratorError`.
    func run(on database: GeneratedDatabase, tenants: [Int64], ticks: AsyncStream<Void>) async throws {
        var run = Run(database: database, tenants: tenants)
        for await _ in ticks {
            while try await !isReady(&run), goesOn {}
            guard let next = run.plan?.next() else { continue }
            var transaction: PlannedTransaction? = next
            while let again = transaction, goesOn {
                transaction = try await settle(again, &run) ? nil : again
            }
            if transaction != nil { break }
        }
        await run.database.connection.close()
    }

    private struct Run {
        var database: GeneratedDatabase
        let tenants: [Int64]
        var plan: ChangePlan?
        var backoff = ReconnectBackoff()
    }

    private var goesOn: Bool { !Task.isCancelled && state.withLock { !$0.isStopping } }

    private func count(_ body: (inout GeneratorReport.Provisioning) -> Void) {
        state.withLock { body(&$0.counts) }
    }

    // MARK: Transactions

    /// Runs a transaction; false: it has to be run again.
    private func settle(_ transaction: PlannedTransaction, _ run: inout Run) async throws -> Bool {
        switch await Attempt(planned: transaction, database: run.database).run() {
        case .committed(let effect, let time):
            committed(effect.rows, time)
            await record(transaction, effect, isAnswered: true)
        case .rolledBack:
            count { $0.rolledBack += 1 }
        case .refused(let error):
            count { $0.refused += 1 }
            try refuseMissingPermission(error)
            // Deadlock, resources, locks, shutdown, a server in recovery: the same again. Else the plan is wrong.
            if ["40", "53", "55", "57", "25"].contains(error.sqlState?.prefix(2)) {
                say("transaction \(transaction.number) has to wait: \(error)")
                try? await Task.sleep(for: .milliseconds(500))
                return false
            }
            say("transaction \(transaction.number) was refused, reading the tenants again: \(error)")
            run.plan = nil
        case .lost(let error):
            await reconnect(&run, because: error)
            return false
        case .unknown(let effect, let error):
            await record(transaction, effect, isAnswered: false)
            while goesOn {
                await reconnect(&run, because: error)
                guard let happened = try? await Attempt.happened(effect.xid, in: run.database) else { continue }
                return happened
            }
        }
        return true
    }

    private func record(_ transaction: PlannedTransaction, _ effect: Attempt.Effect, isAnswered: Bool) async {
        let touched = effect.touched.touched
        count { counts in
            if isAnswered { counts.transactions += 1 } else { counts.unanswered += 1 }
            counts.objects += touched.count
        }
        await ledger?.record(
            ProducedTransaction(
                number: transaction.number, xid: effect.shortXID, touched: touched, isAnswered: isAnswered))
    }

    // MARK: Database

    private func reconnect(_ run: inout Run, because error: PostgresError) async {
        await run.database.connection.close()
        say("PostgreSQL: \(error); connecting again")
        while goesOn {
            do {
                run.database = try await connect()
                return say("PostgreSQL is back")
            } catch {
                try? await Task.sleep(for: run.backoff.next())
            }
        }
    }

    /// Makes a plan of what is there if there is none, and sees to it that dbids for the next change are reserved; false:
    /// it had to connect again.
    private func isReady(_ run: inout Run) async throws -> Bool {
        do throws(PostgresError) {
            if run.plan == nil { run.plan = try await readTenants(run) }
            for table in ChangePlan.insertedTables {
                guard let plan = run.plan, plan.dbids.remaining(table) < ChangePlan.dbidsPerChange else { continue }
                let block = try await run.database.reserve(Self.blockSize, of: table)
                run.plan?.dbids.reserved(block, for: table)
            }
            return true
        } catch {
            try refuseMissingPermission(error)
            await reconnect(&run, because: error)
            return false
        }
    }

    private func readTenants(_ run: Run) async throws(PostgresError) -> ChangePlan {
        let empty = ChangePlan.insertedTables.map { ($0, 0..<Int64(0)) }
        let counts = self.counts
        let number = Int64(counts.transactions + counts.rolledBack + counts.unanswered + counts.refused)
        return ChangePlan(
            seed: settings.seed &+ UInt64(number), tables: try await run.database.rows(of: run.tenants),
            dbids: DBIDAllocator(Dictionary(uniqueKeysWithValues: empty)),
            large: .init(every: settings.largeEvery, rows: settings.largeRows), after: number)
    }

    private func refuseMissingPermission(_ error: PostgresError) throws(GeneratorError) {
        if error.sqlState == "42501" { throw .permission(user: settings.writer, problem: "\(error)") }
    }
}

extension GeneratorSettings {
    /// The role that writes to PostgreSQL.
    var writer: String { postgresUser ?? regions.first?.postgres.user ?? "" }
}
