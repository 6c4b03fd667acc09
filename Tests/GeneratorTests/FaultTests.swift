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
            try await wait(for: lines) { $0.contains("events/s") }
            try await Task.sleep(for: .seconds(1))
            await regions.redis[0].kill()
            try await Task.sleep(for: .milliseconds(500))
            try await regions.redis[0].start()
            try await wait(for: lines) { $0 == "Redis of us-east is back" }
            try await Task.sleep(for: .seconds(1))
            generator.stop()
            let report = try #require(try await run)

            #expect(lines.all.contains { $0.hasPrefix("waiting for Redis of us-east at 127.0.0.1:") })
            for (name, server) in zip(regions.names, regions.redis) {
                var ledger = Ledger()
                try ledger.read(regions.ledger("voice-\(name)"))
                #expect(ledger.openRuns.isEmpty)
                let found = try await StreamContents.check(ledger, origin: name, on: server)
                #expect(found.isClean && found.matched == ledger.eventCount, "\(name): \(found)")
                #expect(ledger.eventCount > 250)
                #expect(report.regions.first { $0.region == name }?.acknowledged == ledger.eventCount)
            }
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
            try await wait(for: lines) { $0.contains("transactions") && !$0.contains(" 0 transactions") }
            try await regions.postgres.restart()
            try await wait(for: lines) { $0 == "PostgreSQL is back" }
            try await Task.sleep(for: .seconds(1))
            generator.stop()
            let report = try #require(try await run)

            #expect(report.provisioning.refused == 0, "\(lines.all)")
            var ledger = Ledger()
            try ledger.read(regions.ledger("provisioning"))
            let drift = try await TableContents.check(ledger, in: regions)
            #expect(drift.drift == 0 && drift.matched > 500, "\(drift)")
        }
    }

    @Test("events that Redis refuses are written again once it takes them")
    func refused() async throws {
        try await TestRegions.with { regions in
            var settings = regions.settings
            settings.eventsPerSecond = 100
            settings.changesPerSecond = 0
            let lines = Lines()
            let generator = try Generator(settings, say: lines.add)
            async let run = generator.run()
            try await wait(for: lines) { $0.contains("events/s") }
            try await regions.redisCommand("CONFIG", "SET", "maxmemory", "1")
            try await Task.sleep(for: .seconds(1))
            try await regions.redisCommand("CONFIG", "SET", "maxmemory", "0")
            try await Task.sleep(for: .seconds(1))
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
            settings.persons = 1
            #expect(throws: GeneratorError.setting("persons: expected 10 to 1000000, found 1")) {
                _ = try Generator(settings, say: { _ in })
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
        let deadline = ContinuousClock.now + .seconds(30)
        while !lines.all.contains(where: matches) {
            try #require(ContinuousClock.now < deadline, "\(lines.all)")
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
