import Foundation
import Logging
import Observability
import RegionConfig
import ServerFixtures
import Testing
import Worker

@Suite("Certificates that a worker shows")
struct CertificateWatchTests {
    @Test("each is told with its end, as its file says now; of one that cannot be read nothing is told")
    func ends() async throws {
        try await RedisServer.with(usesTLS: true) { server in
            let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let shown = folder.appending(path: "shown.pem")
            try FileManager.default.copyItem(at: server.caCertificate, to: shown)
            let metrics = MetricsRegistry()
            let watch = CertificateWatch(
                of: try Self.region(showing: shown), metrics: metrics,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            func end(_ name: String) -> Double? {
                metrics.snapshot().number(.certificateNotAfterTimestampSeconds, [.certificate: name])
            }
            await watch.look()
            let found = try #require(end("redis"))
            #expect(found > Date().timeIntervalSince1970)
            #expect(end("postgres") == nil)
            try Data("no certificate".utf8).write(to: shown)
            await watch.look()
            #expect(end("redis") == nil)
        }
    }

    private static func region(showing certificate: URL) throws -> Region {
        try RegionFile.parse(
            """
            region: east
            redis: {host: 127.0.0.1, port: 6379, tls: {certFile: \(certificate.path), keyFile: \(certificate.path)}}
            postgres: {host: 127.0.0.1, port: 5432, database: d, user: u}
            catalog: [{table: public.thing, type: thing, key: [id], tenant: tenant}]
            """, file: "test.yaml", surroundings: Surroundings(environment: [:]) { _ in "" })
    }
}
