import Foundation
import NIOPosix
import RESP
import RedisClient
import ServerFixtures
import Testing

@Suite("TLS", .timeLimit(.minutes(5))) struct TLSTests {
    @Test("A server of our own authority, by address and by name; nobody else's")
    func verification() async throws {
        try await RedisServer.with(usesTLS: true) { server in
            let port = try #require(server.tlsPort)
            let ca = server.caCertificate.path
            try await expectPong(RedisEndpoint(host: "127.0.0.1", port: port, tls: .init(caFile: ca)))
            try await expectPong(RedisEndpoint(host: "localhost", port: port, tls: .init(caFile: ca)))
            try await expectPong(RedisEndpoint(host: "127.0.0.1", port: port, tls: .init(verify: .none)))
            await expectTLSError(RedisEndpoint(host: "127.0.0.1", port: port, tls: .init()))
            // A server without TLS waits for the end of what it takes for a line.
            await #expect(throws: RedisError.self) {
                let endpoint = RedisEndpoint(host: "127.0.0.1", port: server.port, tls: .init(caFile: ca))
                try await expectPong(endpoint, within: .seconds(2))
            }
        }
    }

    @Test("The certificate must name the host, or the name that was configured")
    func names() async throws {
        try await RedisServer.with(usesTLS: true, certificateNames: "DNS:redis.internal") { server in
            let port = try #require(server.tlsPort)
            var tls = RedisEndpoint.TLS(caFile: server.caCertificate.path)
            await expectTLSError(RedisEndpoint(host: "127.0.0.1", port: port, tls: tls))
            await expectTLSError(RedisEndpoint(host: "localhost", port: port, tls: tls))
            tls.serverName = "redis.internal"
            try await expectPong(RedisEndpoint(host: "127.0.0.1", port: port, tls: tls))
            tls.serverName = "redis.example.com"
            await expectTLSError(RedisEndpoint(host: "127.0.0.1", port: port, tls: tls))
            tls.verify = .noHostname
            try await expectPong(RedisEndpoint(host: "127.0.0.1", port: port, tls: tls))
        }
    }

    @Test("Files that are missing, of another kind, or without their other half")
    func files() async throws {
        for tls in [
            RedisEndpoint.TLS(caFile: "/no/such/file"), .init(certFile: "/etc/hostname", keyFile: "/etc/hostname"),
            .init(certFile: "/etc/hostname"), .init(keyFile: "/etc/hostname"),
        ] {
            await expectTLSError(RedisEndpoint(host: "127.0.0.1", port: 1, tls: tls))
        }
    }

    @Test("Our own certificate, where the server asks for one")
    func clientCertificate() async throws {
        try await RedisServer.with(settings: ["tls-auth-clients yes"], usesTLS: true) { server in
            let port = try #require(server.tlsPort)
            var tls = RedisEndpoint.TLS(caFile: server.caCertificate.path)
            await #expect(throws: RedisError.self) {
                try await expectPong(RedisEndpoint(host: "127.0.0.1", port: port, tls: tls))
            }
            tls.certFile = server.folder.appending(path: "server.crt").path
            tls.keyFile = server.folder.appending(path: "server.key").path
            try await expectPong(RedisEndpoint(host: "127.0.0.1", port: port, tls: tls))
        }
    }

    private func connect(
        _ endpoint: RedisEndpoint, within time: Duration = .seconds(30)
    ) async throws(RedisError) -> RedisConnection {
        var endpoint = endpoint
        endpoint.connectTimeout = time
        return try await RedisConnection.connect(
            to: endpoint, name: "tests", on: MultiThreadedEventLoopGroup.singleton.next())
    }

    private func expectPong(_ endpoint: RedisEndpoint, within time: Duration = .seconds(30)) async throws {
        let connection = try await connect(endpoint, within: time)
        let text = String(repeating: "x", count: 300_000)
        #expect(try await connection.send(RedisCommand("ECHO", text)).string == text)
        await connection.close()
    }

    private func expectTLSError(_ endpoint: RedisEndpoint) async {
        do throws(RedisError) {
            try await connect(endpoint).close()
            Issue.record("connected to \(endpoint), \(String(describing: endpoint.tls))")
        } catch {
            guard case .tls = error else {
                Issue.record("\(error)")
                return
            }
        }
    }
}
