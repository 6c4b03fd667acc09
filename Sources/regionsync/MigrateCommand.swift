internal import ArgumentParser
internal import Foundation
internal import PostgresClient
internal import Preflight
internal import Provisioning
internal import RegionConfig

/// `regionsync migrate`: makes PostgreSQL ready, or brings it up to date.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Makes schema, roles and publication in PostgreSQL, or brings them up to date.",
        discussion: """
            In one transaction: the schema of the provisioning objects, regionsync.history with this region as the one that \
            captures, the roles regionsync_capture, regionsync_read and regionsync_write (without passwords: \
            ALTER ROLE … PASSWORD sets them), their grants, and the publication of the catalog's tables. Run it again \
            after an upgrade or a change of the catalog; where all is in place it says so and changes nothing. Tables \
            of your own are only published and granted: what they lack, `regionsync check` says. The role that does it is \
            a superuser, or may create roles and owns the tables.

              regionsync migrate --region regions/us-east.yaml --postgres-user postgres --postgres-password-env PGPASSWORD

            Exit status: 0 done or nothing to do, 1 refused (nothing is changed then), 64 for a wrong \
            command line, 69 if PostgreSQL cannot be reached, 78 for a wrong file.
            """)

    @OptionGroup
    var region: RegionOption

    @OptionGroup
    var postgres: PostgresLoginOptions

    @Option(
        help: ArgumentHelp(
            "The region that captures first, where no region does yet (without it, that of the file); else the one that "
                + "does.",
            valueName: "region"))
    var captureRegion: String?

    @Flag(help: "Do everything, say what was done, and take it back.")
    var dryRun = false

    func run() async throws {
        let region = try region.load()
        let known = [region.name] + region.peers.map(\.region)
        if let captureRegion, !known.contains(captureRegion) {
            throw failure(
                "--capture-region \(captureRegion): the file knows \(known.joined(separator: ", "))", .usage)
        }
        let login = try postgres.user.map { SchemaMigration.Login(user: $0, password: try postgres.password()) }
        let migration = SchemaMigration(region, as: login, capturingRegion: captureRegion)
        let steps: [SchemaMigration.Step]
        do {
            steps = try await migration.run(isDryRun: dryRun) { print($0) }
        } catch let error as PostgresError {
            throw refusal(error, user: postgres.user ?? region.postgres.user)
        } catch let error as ProvisioningSchema.NewerSchema {
            throw failure("\(error)", .failed)
        } catch let error as SchemaMigration.Refused {
            throw failure("\(error)", .failed)
        }
        switch (steps.isEmpty, dryRun) {
        case (true, _): print("nothing to do")
        case (false, true): print("all of it works, and was taken back: this was a dry run")
        case (false, false): print("done")
        }
    }

    private func refusal(_ error: PostgresError, user: String) -> ExitCode {
        switch error {
        case .server("42501", _, _, _):
            failure("\(error)\n\(user) has not the rights: use --postgres-user with a superuser's name", .failed)
        case .server("3D000", _, _, _):
            failure("\(error)\nmake it first: createdb, or CREATE DATABASE", .failed)
        case .server("42P01", _, _, _):
            failure("\(error)\nthe catalog names a table that is not there: regionsync check says which", .failed)
        case .server: failure("\(error)", .failed)
        case .authentication where postgres.user == nil:
            failure("\(error)\non a first run use --postgres-user with a superuser's name", .unavailable)
        case .connect, .authentication, .closed, .timeout, .cancelled, .protocolViolation:
            failure("\(error)", .unavailable)
        }
    }
}
