import Foundation
import Generator
import NIOPosix
import PostgresClient
import RESP
import RedisClient
import ServerFixtures
import Testing

@Suite("What the generator sees of others' work", .serialized)
struct ObserverTests {
    @Test("copies that arrive and hashes that change are seen and timed, the report is kept")
    func observed() async throws {
        try await TestRegions.with { regions in
            var settings = regions.settings
            settings.eventsPerSecond = 100
            settings.changesPerSecond = 10
            let generator = try Generator(settings, say: { _ in })
            let standIn = StandInWorker(regions)
            async let copying: Void = standIn.run()
            async let run = generator.run()
            try await regions.report { report in
                report.directions.count == 2
                    && report.directions.allSatisfy { $0.received > 200 }
                    && regions.names.allSatisfy { (report.provisioning.visibleMs[$0]?.count ?? 0) > 2 }
            }
            generator.stop()
            let report = try #require(try await run)
            await standIn.stop()
            try await copying

            #expect(report.isFinal && report.directions.map(\.from) == ["us-east", "eu-west"])
            for direction in report.directions {
                #expect(direction.produced > 200 && direction.received == direction.produced, "\(direction)")
                #expect(direction.backlog == 0 && direction.missing == 0)
                let lag = try #require(direction.lagMs)
                #expect(lag.p50 > 0 && lag.p50 <= lag.p99 && lag.p99 <= lag.max && lag.max < 60_000)
                #expect(lag.count == UInt64(direction.produced))
            }
            for name in regions.names {
                let visible = try #require(report.provisioning.visibleMs[name])
                #expect(visible.count > 2 && visible.p50 <= visible.p99 && visible.max < 60_000)
            }
            let data = try Data(contentsOf: regions.folder.appending(path: "report.json"))
            #expect(try JSONDecoder().decode(GeneratorReport.self, from: data) == report)
        }
    }
}

/// Copies voice journals as the mirror does and persons into caches as the projection does, with no care for anything.
private actor StandInWorker {
    private let regions: TestRegions
    private var isStopped = false

    init(_ regions: TestRegions) { self.regions = regions }

    func stop() { isStopped = true }

    func run() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        var connections: [RedisConnection] = []
        for server in regions.redis {
            connections.append(
                try await .connect(
                    to: RedisEndpoint(host: server.host, port: server.port, connectTimeout: .seconds(30)),
                    name: "stand-in", on: loop))
        }
        let database = try await regions.connectToPostgres()
        var cursors: [String: String] = [:]
        while !isStopped {
            let persons = try await database.query("SELECT * FROM provisioning.person")
            let hashes = persons.compactMap { person in
                let fields = persons.columns.indices.flatMap { index in
                    person[index].map { [persons.columns[index], $0] } ?? []
                }
                guard let tenant = try? person.string("tenant_dbid"), let dbid = try? person.string("dbid") else {
                    return nil as RedisCommand?
                }
                return RedisCommand(["HSET", "cfg:{\(tenant)}:person:\(dbid)"] + fields)
            }
            for connection in connections { _ = await connection.pipeline(hashes) }
            for (place, name) in regions.names.enumerated() {
                let keys = try await connections[place].send(RedisCommand("KEYS", "rs:{*}:voice:\(name)"))
                for key in keys.elements.compactMap(\.string) {
                    let reply = try await connections[place].send(
                        RedisCommand("XREAD", "STREAMS", key, cursors[key] ?? "0"))
                    var copies: [RedisCommand] = []
                    for entry in reply[0]?[1]?.elements.map({ $0 }) ?? [] {
                        let words = entry[1]?.elements.compactMap(\.string) ?? []
                        let id = entry[0]?.string ?? ""
                        copies.append(RedisCommand(["XADD", key, id] + words))
                        cursors[key] = id
                    }
                    for result in await connections[1 - place].pipeline(copies) { _ = try result.get() }
                }
            }
        }
        for connection in connections { await connection.close() }
        await database.close()
    }
}
