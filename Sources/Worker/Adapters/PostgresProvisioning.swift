package import ConfigListener
package import Logging
internal import Observability
package import PostgresClient

/// PostgreSQL as writes need it: a few connections to the primary, made when they are needed.
///
/// `run` finds the primary, keeps one connection more to it and asks through that, again and again, whether it is there.
/// While it is not, writes are refused at once, and those that wait for it are given up.
package actor PostgresProvisioning: ProvisioningDatabase {
    /// What writes are told: why is for operators, in the log.
    private static let isAway = DatabaseFailure.away("PostgreSQL is away; nothing was written")

    /// Whether PostgreSQL takes writes.
    enum Presence: Hashable, Sendable {
        /// Nobody has looked yet. → present, away
        case unknown
        /// The server at this place takes them. → away
        case present(place: Int)
        /// → present
        case away
    }

    /// How long is waited for what.
    package struct Patience: Hashable, Sendable {
        /// A write for the first look, or for a connection that others use.
        package var turn = Duration.seconds(1)
        /// A question to PostgreSQL for its answer.
        package var answer = Duration.seconds(1)
        /// A statement for a lock that others hold.
        package var lock = Duration.seconds(3)
        /// A statement for its end.
        package var statement = Duration.seconds(10)

        package init() {}
    }

    /// Between two questions.
    static let interval = Duration.milliseconds(300)
    /// Questions between two bites of forgetting `ONCE` keys, where one bite was enough.
    static let pruneEvery = 200
    /// Questions between two looks for a server that is the primary instead.
    static let searchEvery = 10

    let servers: [PostgresOptions]
    let patience: Patience
    let logger: Logger
    private var presence = Presence.unknown
    private var idle: [PostgresConnection] = []
    /// Those that transactions use.
    private var used: [ObjectIdentifier: PostgresConnection] = [:]
    private var turns: TransactionTurns
    private var lastTicket = 0
    /// How often PostgreSQL was found to be away.
    private var absences = 0
    /// Who wants to know when the presence changes.
    private var observers: [Int: AsyncStream<Presence>.Continuation] = [:]

    /// `servers` are those of which one is the primary, with the role that writes; `connections` are as many transactions
    /// as there are at a time.
    package init(
        servers: [PostgresOptions], connections: Int = 4, patience: Patience = Patience(), logger: Logger
    ) {
        self.servers = servers.map { server in
            var server = server
            // The server gives up before the client does, and then says so; a client that is gone holds no locks for long.
            server.settings["statement_timeout"] = patience.statement.postgresSetting
            server.settings["lock_timeout"] = patience.lock.postgresSetting
            server.settings["idle_in_transaction_session_timeout"] = "10s"
            return server
        }
        turns = TransactionTurns(limit: connections)
        self.patience = patience
        self.logger = logger
    }

    // MARK: Transactions

    package func begin() async throws(DatabaseFailure) -> any ProvisioningTransaction {
        try await requirePresence()
        try await takeTurn()
        let connection: PostgresConnection
        do throws(DatabaseFailure) {
            connection = try await open()
        } catch {
            turns.pass()
            throw error
        }
        used[ObjectIdentifier(connection)] = connection
        if case .away = presence {
            await connection.close()
            await giveBack(connection)
            throw Self.isAway
        }
        let transaction = PostgresWriteTransaction(connection: connection, database: self)
        do throws(DatabaseFailure) {
            try await transaction.begin()
        } catch {
            await transaction.rollBack()
            throw error
        }
        return transaction
    }

    /// A transaction is over. A connection that is not open is forgotten.
    func giveBack(_ connection: PostgresConnection) async {
        guard used.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        if await connection.isOpen {
            if case .away = presence { await connection.close() } else { idle.append(connection) }
        }
        // Last: whose turn it is takes this connection, rather than open one more.
        turns.pass()
    }

    /// What a failure of a statement means.
    func meaning(of error: PostgresError, on connection: PostgresConnection) async -> DatabaseFailure {
        switch error {
        case .server(let code, let message, _, _):
            let isOpen = await connection.isOpen
            // The server ends the session, or takes no more of them.
            if !isOpen || ["57P", "08"].contains(where: { code.hasPrefix($0) }) {
                await connection.close()
                await closeIdle()
                return .lost
            }
            let place = await connection.refusedAt
            return .refused(
                DatabaseRefusal(
                    code: code, message: message, schema: place.schema, table: place.table, column: place.column,
                    constraint: place.constraint))
        case .connect, .authentication: return Self.isAway
        case .closed, .timeout, .cancelled, .protocolViolation:
            await connection.close()
            if case .away = presence { return Self.isAway }
            await closeIdle()
            return .lost
        }
    }

    /// What befell one connection has befallen those that nobody has looked at since.
    private func closeIdle() async {
        let connections = idle
        idle = []
        for connection in connections { await connection.close() }
    }

    private func open() async throws(DatabaseFailure) -> PostgresConnection {
        while let connection = idle.popLast() {
            if await connection.isOpen { return connection }
        }
        // No other one: an old primary that answers sooner takes writes that will be lost.
        guard case .present(let place) = presence, servers.indices.contains(place) else { throw Self.isAway }
        let (server, ticket, before) = (servers[place], nextTicket(), absences)
        let changes = observe(ticket)
        defer { observers[ticket] = nil }
        let opened = await withTaskGroup(of: PostgresConnection?.self) { group in
            group.addTask { try? await PostgresConnection.connect(server) }
            group.addTask {
                _ = await changes.first { $0 == .away }
                return nil
            }
            let first: PostgresConnection? = await group.next() ?? nil
            group.cancelAll()
            // A connection that came all the same, but too late.
            for await late in group { await late?.close() }
            return first
        }
        // It may have been away meanwhile, and be another server by now: of changes only the last is heard.
        guard let opened, absences == before else {
            await opened?.close()
            throw Self.isAway
        }
        return opened
    }

    // MARK: Turns

    private func nextTicket() -> Int {
        lastTicket += 1
        return lastTicket
    }

    private func takeTurn() async throws(DatabaseFailure) {
        guard !turns.take() else { return }
        let ticket = nextTicket()
        let patience = patience.turn
        let failure = await withTaskGroup(of: Void.self) { group in
            group.addTask {
                try? await Task.sleep(for: patience)
                await self.leave(ticket)
            }
            // The turn is handed over taken.
            let failure: DatabaseFailure? = await withCheckedContinuation { turns.wait(ticket, $0) }
            group.cancelAll()
            return failure
        }
        if let failure { throw failure }
    }

    private func leave(_ ticket: Int) { turns.leave(ticket) }

    // MARK: Presence

    private func requirePresence() async throws(DatabaseFailure) {
        if presence == .unknown {
            let ticket = nextTicket()
            let changes = observe(ticket)
            let patience = patience.turn
            await withTaskGroup(of: Void.self) { group in
                group.addTask { _ = await changes.first { _ in true } }
                group.addTask { try? await Task.sleep(for: patience) }
                _ = await group.next()
                group.cancelAll()
            }
            observers[ticket] = nil
        }
        switch presence {
        case .present: return
        case .unknown, .away: throw Self.isAway
        }
    }

    private func observe(_ ticket: Int) -> AsyncStream<Presence> {
        let (stream, feed) = AsyncStream<Presence>.makeStream(bufferingPolicy: .bufferingNewest(1))
        observers[ticket] = feed
        return stream
    }

    /// The server at this place takes writes.
    func arrived(at place: Int) {
        guard presence != .present(place: place) else { return }
        logger.info("PostgreSQL takes clients' writes")
        change(to: .present(place: place))
    }

    /// PostgreSQL does not take writes, for a reason in words. Whatever waits for it ends: its connections are closed.
    func left(_ reason: String) async {
        switch presence {
        case .away: break
        case .unknown, .present:
            logger.warning("PostgreSQL takes no writes of clients", [.reason: "\(reason)"])
        }
        absences += 1
        change(to: .away)
        turns.refuseAll(Self.isAway)
        for connection in used.values { await connection.close() }
        await closeIdle()
    }

    private func change(to presence: Presence) {
        self.presence = presence
        for feed in observers.values { feed.yield(presence) }
    }
}

extension Duration {
    /// As PostgreSQL's settings have it.
    var postgresSetting: String { "\(Int64(min(self / .milliseconds(1), 1e9)))ms" }
}
