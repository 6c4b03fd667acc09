import Connections
import PostgresClient
import RedisClient
import RegionConfig
import Traffic

/// The way to the PostgreSQL that is filled: the first region's, as the role that writes.
struct DatabaseAccess: Sendable {
    private let options: PostgresOptions
    private let settings: GeneratorSettings

    /// `settings` were checked: there is a region.
    init?(_ settings: GeneratorSettings) {
        guard let region = settings.regions.first else { return nil }
        var options = PostgresOptions(region.postgres, region: region.name, purpose: "generate")
        if let user = settings.postgresUser {
            options.user = user
            options.password = nil
        }
        if let password = settings.postgresPassword { options.password = password.exposed }
        self.options = options
        self.settings = settings
    }

    /// A connection of its own, once. Throws `GeneratorError`, or `PostgresError` for what may pass.
    func connect() async throws -> GeneratedDatabase {
        do {
            return try await open()
        } catch let error as PostgresError {
            if case .authentication = error {
                throw GeneratorError.permission(user: options.user, problem: "\(error)")
            }
            if error.sqlState == "42501" {
                throw GeneratorError.permission(user: options.user, problem: "\(error)")
            }
            throw error
        }
    }

    private func open() async throws -> GeneratedDatabase {
        let connection = try await PostgresConnection.connect(options)
        do {
            return try await GeneratedDatabase(
                connection, database: options.database, catalog: settings.regions[0].catalog, prefix: settings.prefix)
        } catch {
            await connection.close()
            throw error
        }
    }

    /// A connection, as soon as there is one; says for what it waits. Throws `GeneratorError` for what does not pass.
    func connectPatiently(_ say: (String) -> Void) async throws -> GeneratedDatabase {
        var backoff = ReconnectBackoff()
        var said: PostgresError?
        while true {
            do {
                return try await connect()
            } catch let error as PostgresError {
                if settings.fillsOnly { throw GeneratorError.postgres("\(error)") }
                if error != said {
                    say("waiting for PostgreSQL at \(options.host):\(options.port): \(error)")
                    said = error
                }
                try await Task.sleep(for: backoff.next())
            }
        }
    }

    /// Finds the tenants, or makes those that are missing; says how far it is.
    func tenants(
        in database: GeneratedDatabase, ledger: LedgerFile?, say: (String) -> Void
    ) async throws -> [Int64] {
        do {
            let (tenants, persons, seed) = (settings.tenants, settings.persons, settings.seed)
            try await database.fill(tenants, persons: persons, seed: seed) { count, objects in
                // Whether capture reads it as a transaction or in its first snapshot cannot be known here: no number.
                await ledger?.record(ProducedTransaction(number: 0, xid: 0, touched: objects))
                say("tenant \(count) of \(tenants): \(objects.count) objects")
            }
            return try await database.tenants(settings.tenants)
        } catch let error as PostgresError where error.sqlState == "42501" {
            throw GeneratorError.permission(user: options.user, problem: "\(error)")
        }
    }
}
