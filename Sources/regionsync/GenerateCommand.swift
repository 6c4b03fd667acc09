internal import ArgumentParser
internal import Foundation
internal import Generator
internal import RegionConfig
internal import UnixSignals

/// `regionsync generate`: tenants, changes and traffic for demos, benches and drills.
struct GenerateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Fills PostgreSQL with tenants, changes them, and produces calls and agents.",
        discussion: """
            Tenants are made once and found again by their prefix; only one generator may change those of one prefix at a \
            time. Changes go to the first region's PostgreSQL, events into every region's own Redis. Lag and visibility \
            are measured from outside the worker: copies are read from the other regions' Redis, changes from every cache.
            With --front-end nothing of this is done: call-control requests, which clients of the voice port make, are answered \
            in every region given, as a voice front end would.
            Ends after --seconds, on SIGTERM or on Ctrl-C: calls are ended, answers waited for, ledgers closed.

              regionsync generate --region regions/us-east.yaml \\
                  --region regions/eu-west.yaml --ledger ledger --seconds 30 \\
                  --postgres-user regionsync_write
              regionsync generate --region regions/us-east.yaml --front-end

            Exit status: 0 ended in order, 64 for a wrong command line, 69 if it cannot go on (no schema, no permission, \
            no room for the ledger; with --fill-only also no PostgreSQL), 78 for a wrong file.
            """)

    @OptionGroup
    var regions: RegionsOption

    @Option(help: "Tenants.")
    var tenants = 2

    @Option(help: "Persons of a tenant.")
    var persons = 500

    @Option(help: "Voice events a second in each region; 0 for none.")
    var eventsPerSecond = 200

    @Option(help: "Transactions a second; 0 for none.")
    var changesPerSecond = 5

    @Option(help: "How long to produce; without it, until SIGTERM or Ctrl-C.")
    var seconds: Int?

    @Option(help: "Every how many transactions a large one comes.")
    var largeEvery = 300

    @Option(help: "Rows that a large transaction changes.")
    var largeRows = 1000

    @Option(help: "The same seed makes the same tenants and, at the same rates, the same events and changes.")
    var seed: UInt64 = 1

    @Option(help: "What names of tenants and persons begin with, and how they are found again.")
    var prefix = "gen-"

    @Option(help: "Folder for the ledger: what was produced and acknowledged.", completion: .directory)
    var ledger: String?

    @Option(help: "File for a JSON report, written anew every second.", completion: .file(extensions: ["json"]))
    var report: String?

    @Flag(help: "Only make the tenants.")
    var fillOnly = false

    @Flag(help: "Only answer call-control requests, of all tenants; one a region at a time.")
    var frontEnd = false

    @OptionGroup
    var postgres: PostgresLoginOptions

    @Option(help: "Tenants whose copies are watched at most; each costs the peers' Redis work.")
    var observedTenants = 100

    func run() async throws {
        if frontEnd { try await answerRequests() } else { try await generate() }
    }

    private func answerRequests() async throws {
        let frontEnds = FrontEnds(of: try regions.load().map(\.region)) { line in
            FileHandle.standardError.write(Data("\(line)\n".utf8))
        }
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        await withTaskGroup { group in
            group.addTask {
                for await _ in signals { frontEnds.stop() }
            }
            await frontEnds.run(for: seconds.map { .seconds($0) })
            group.cancelAll()
        }
    }

    private func generate() async throws {
        let generator: Generator
        do {
            generator = try Generator(settings()) { line in
                FileHandle.standardError.write(Data("\(line)\n".utf8))
            }
        } catch let error as GeneratorError {
            FileHandle.standardError.write(Data("regionsync: \(error)\n".utf8))
            throw ExitCode.validationFailure
        }
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        try await withThrowingTaskGroup { group in
            group.addTask {
                for await _ in signals { generator.stop() }
            }
            defer { group.cancelAll() }
            do {
                if let last = try await generator.run() {
                    FileHandle.standardError.write(Data("ended: \(last.totals)\n".utf8))
                }
            } catch let error as GeneratorError {
                throw failure("\(error)", .unavailable)
            }
        }
    }

    private func settings() throws -> GeneratorSettings {
        var settings = GeneratorSettings(regions: try regions.load().map(\.region))
        settings.tenants = tenants
        settings.persons = persons
        settings.eventsPerSecond = eventsPerSecond
        settings.changesPerSecond = changesPerSecond
        settings.duration = seconds.map { .seconds($0) }
        settings.largeEvery = largeEvery
        settings.largeRows = largeRows
        settings.seed = seed
        settings.prefix = prefix
        settings.ledgerFolder = ledger
        settings.reportPath = report
        settings.fillsOnly = fillOnly
        settings.postgresUser = postgres.user
        settings.postgresPassword = try postgres.password()
        settings.observedTenants = observedTenants
        return settings
    }
}
