import Foundation
import Generator
import PostgresClient
import ServerFixtures
import Synchronization
import Testing
import Traffic

@Suite("Generator on real servers", .serialized)
struct GeneratorTests {
    @Test("what streams and tables hold is what the ledger says, event by event and object by object")
    func ledgerMatches() async throws {
        try await TestRegions.with { regions in
            var settings = regions.settings
            settings.eventsPerSecond = 250
            settings.changesPerSecond = 100
            settings.largeEvery = 40
            settings.largeRows = 500
            let lines = Lines()
            let generator = try Generator(settings, say: lines.add)
            async let run = generator.run()
            // A busy machine takes longer for as much.
            try await regions.report { report in
                report.regions.allSatisfy { $0.acknowledged > 600 } && report.provisioning.transactions > 200
            }
            generator.stop()
            let report = try #require(try await run)

            for (name, server) in zip(regions.names, regions.redis) {
                var ledger = Ledger()
                try ledger.read(regions.ledger("voice-\(name)"))
                #expect(ledger.openRuns.isEmpty)
                #expect(ledger.eventCount > 600)
                #expect(report.regions.first { $0.region == name }?.acknowledged == ledger.eventCount)
                let found = try await StreamContents.check(ledger, origin: name, on: server)
                #expect(found.isClean && found.matched == ledger.eventCount && found.unrecorded == 0, "\(found)")
            }
            var ledger = Ledger()
            try ledger.read(regions.ledger("provisioning"))
            #expect(report.provisioning.transactions > 50)
            #expect(report.provisioning.refused == 0, "\(lines.all)")
            #expect(ledger.transactions.count { $0.xid != 0 } == report.provisioning.transactions)
            let drift = try await TableContents.check(ledger, in: regions)
            #expect(drift.drift == 0 && drift.matched > 1000, "\(drift)")
        }
    }

    @Test("a second run goes on with the same tenants, and makes only those that are missing")
    func secondRun() async throws {
        try await TestRegions.with { regions in
            var settings = regions.settings
            settings.fillsOnly = true
            #expect(try await Generator(settings, say: { _ in }).run() == nil)
            settings.tenants = 3
            #expect(try await Generator(settings, say: { _ in }).run() == nil)
            let connection = try await regions.connectToPostgres()
            let names = try await connection.query("SELECT name FROM provisioning.tenant ORDER BY dbid").map { $0[0] }
            #expect(names == ["Environment", "gen-Aurora_Bank", "gen-Borealis_Air", "gen-Cobalt_Energy"])
            // Others may insert beside it.
            try await connection.query(
                "INSERT INTO provisioning.skill (tenant_dbid, name) SELECT dbid, 'Of_their_own' FROM provisioning.tenant"
            )
            await connection.close()
        }
    }
}

/// Lines that were said.
final class Lines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    @Sendable func add(_ line: String) { lines.withLock { $0.append(line) } }
}

extension TestRegions {
    func ledger(_ name: String) -> String { folder.appending(path: "\(name).ledger").path }
}
