import Foundation
import Generator
import PostgresClient
import RegionConfig
import ServerFixtures
import Testing
import Traffic

@Suite("Generator and faults of its servers", .serialized)
struct FaultTests {
    @Test("Redis killed and started again: nothing acknowledged is missing, nothing is there twice")
    func redisKilled() async throws {
        let settings = ["appendonly yes", "appendfsync always"]
        try await TestRegions.with(redisSettings: settings) { regions in
            var settings = regions.settings
            settings.eventsPerSecond = 250
            settings.changesPerSecond = 0
            let lines = Lines()
            let generator = try Generator(settings, say: lines.add)
            async let run = generator.run()
            try await regions.report { $0.regions.allSatisfy { $0.acknowledged >= 100 } }
            await regions.redis[0].kill()
            try await wait(for: lines) { $0.hasPrefix("waiting for Redis of us-east at 127.0.0.1:") }
            let before = try await regions.report().regions[0].acknowledged
            try await regions.redis[0].start()
            try await wait(for: lines) { $0 == "Redis of us-east is back" }
            try await regions.report { $0.regions[0].acknowledged >= before + 100 }
            generator.stop()
            let report = try #require(try await run)

            for (name, server) in zip(regions.names, regions.redis) {
                var ledger = Ledger()
                try ledger.read(regions.ledger("voice-\(name)"))
                #expect(ledger.openRuns.isEmpty)
                let found = try await StreamContents.check(ledger, origin: name, on: server)
                #expect(found.isClean && found.matched == ledger.eventCount, "\(name): \(found)")
                #expect(report.regions.first { $0.region == name }?.acknowledged == ledger.eventCount)
            }
        }
    }

    @Test("ended while events are in flight: the ledger has them as unanswered, and none is invented")
    func endedInFlight() async throws {
        try await TestRegions.with { regions in
            var settings = regions.settings
            settings.eventsPerSecond = 2_000
            settings.changesPerSecond = 20
            let generator = try Generator(settings, say: { _ in })
            async let run = generator.run()
            try await regions.report { $0.regions[0].acknowledged >= 100 && $0.provisioning.transactions > 0 }
            let connection = try await regions.connectToPostgres()
            await regions.redis[0].pause()
            // It cannot go on without rights, and so does not wait for answers either.
            try await connection.query(
                "REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA provisioning FROM regionsync_write")
            await connection.close()
            do {
                _ = try await run
                Issue.record("went on without rights")
            } catch is GeneratorError {}
            await regions.redis[0].resume()

            var ledger = Ledger()
            try ledger.read(regions.ledger("voice-us-east"))
            #expect(ledger.openRuns.isEmpty)
            #expect(ledger.journals.values.contains { !$0.unanswered.isEmpty })
            // What the kernel had taken, Redis reads once it goes on.
            var found = try await StreamContents.check(ledger, origin: "us-east", on: regions.redis[0])
            let deadline = ContinuousClock.now + .seconds(60)
            while found.unrecorded + found.invented == 0, ContinuousClock.now < deadline {
                found = try await StreamContents.check(ledger, origin: "us-east", on: regions.redis[0])
            }
            #expect(found.isClean && found.unrecorded > 0 && found.matched == ledger.eventCount, "\(found)")
        }
    }

    @Test("PostgreSQL stopped and started again: what was acknowledged is there, and changes go on")
    func postgresStopped() async throws {
        try await TestRegions.with { regions in
            var settings = regions.settings
            settings.eventsPerSecond = 0
            settings.changesPerSecond = 50
            let lines = Lines()
            let generator = try Generator(settings, say: lines.add)
            async let run = generator.run()
            try await regions.report { $0.provisioning.transactions >= 20 }
            try await regions.postgres.restart()
            try await wait(for: lines) { $0 == "PostgreSQL is back" }
            let before = try await regions.report().provisioning.transactions
            try await regions.report { $0.provisioning.transactions >= before + 20 }
            generator.stop()
            let report = try #require(try await run)

            #expect(report.provisioning.refused == 0, "\(lines.all)")
            var ledger = Ledger()
            try ledger.read(regions.ledger("provisioning"))
            let drift = try await TableContents.check(ledger, in: regions)
            #expect(drift.drift == 0 && drift.matched + drift.unknown == ledger.objects.count, "\(drift)")
        }
    }

    @Test("events that Redis refuses are written again once it takes them")
    func refused() async throws {
        try await TestRegions.with { regions in
            var settings = regions.settings
            settings.eventsPerSecond = 100
            settings.changesPerSecond = 0
            let generator = try Generator(settings, say: { _ in })
            async let run = generator.run()
            try await regions.report { $0.regions[0].acknowledged > 0 }
            try await regions.redisCommand("CONFIG", "SET", "maxmemory", "1")
            let refused = try await regions.report { $0.regions[0].refusals > 0 }
            try await regions.redisCommand("CONFIG", "SET", "maxmemory", "0")
            try await regions.report { $0.regions[0].acknowledged > refused.regions[0].acknowledged + 50 }
            generator.stop()
            let report = try #require(try await run)
            let region = try #require(report.regions.first)
            #expect(region.refusals > 0 && region.unanswered == 0)
            var ledger = Ledger()
            try ledger.read(regions.ledger("voice-us-east"))
            let found = try await StreamContents.check(ledger, origin: "us-east", on: regions.redis[0])
            #expect(found.isClean && found.unrecorded == 0 && found.matched == region.acknowledged, "\(found)")
        }
    }

    @Test("a database without the schema, a role that may not write, and impossible settings are named")
    func refusals() async throws {
        try await TestRegions.with(migrates: false) { regions in
            var settings = regions.settings
            settings.postgresUser = "postgres"
            let error = await #expect(throws: GeneratorError.self) {
                _ = try await Generator(settings, say: { _ in }).run()
            }
            #expect(error.map { "\($0)" }?.contains("run `regionsync migrate`") == true)
            let impossible: [(String, (inout GeneratorSettings) -> Void)] = [
                ("persons: expected 10 to 1000000, found 1", { $0.persons = 1 }),
                ("observed-tenants: expected 0 to 100000, found -1", { $0.observedTenants = -1 }),
                ("seconds: expected 1 to 1000000000, found 0", { $0.duration = .zero }),
            ]
            for (problem, spoil) in impossible {
                var settings = regions.settings
                spoil(&settings)
                #expect(throws: GeneratorError.setting(problem)) { _ = try Generator(settings, say: { _ in }) }
            }
        }
        try await TestRegions.with { regions in
            var settings = regions.settings
            settings.postgresUser = "regionsync_read"
            let error = await #expect(throws: GeneratorError.self) {
                _ = try await Generator(settings, say: { _ in }).run()
            }
            #expect(error.map { "\($0)" }?.contains("--postgres-user") == true)
        }
    }

    private func wait(for lines: Lines, _ matches: (String) -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while !lines.all.contains(where: matches) {
            try #require(ContinuousClock.now < deadline, "\(lines.all)")
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
