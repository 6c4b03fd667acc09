import Foundation
import PostgresClient
import ServerFixtures
import Testing

@Suite(
    "Connecting",
    SharedServer(accessRules: ["host all locked 127.0.0.1/32 scram-sha-256", "host all nobody all reject"]))
struct ConnectTests {
    private static let canary = "canary-7f3a secret '\\"

    private func failure(_ change: (inout PostgresOptions) -> Void) async throws -> PostgresError {
        try #require(await #expect(throws: PostgresError.self) { try await connect(change) })
    }

    @Test("nobody listens: .connect, with what libpq says on one line")
    func refused() async throws {
        let port = try freePort()
        guard case .connect(let reason) = try await failure({ $0.port = port }) else {
            Issue.record("another error")
            return
        }
        let hint = "(Is the server running on that host and accepting TCP/IP connections?)"
        #expect(reason.hasSuffix("Connection refused \(hint)"), "\(reason)")
        #expect(!reason.contains { $0.isNewline || $0 == "\t" }, "\(reason)")
    }

    @Test("credentials: the right ones connect, others are .authentication and never quoted")
    func credentials() async throws {
        let sql = try await connect()
        try await sql.query("CREATE ROLE locked LOGIN PASSWORD 'canary-7f3a secret ''\\'")
        let connection = try await connect {
            $0.user = "locked"
            $0.password = Self.canary
        }
        #expect(try await connection.query("SELECT current_user")[0][0] == "locked")
        await connection.close()
        for password in [Self.canary + "x", nil] {
            let error = try await failure {
                $0.user = "locked"
                $0.password = password
            }
            guard case .authentication = error else {
                Issue.record("another error: \(error)")
                continue
            }
            #expect(!"\(error)".contains("canary"))
        }
        await sql.close()
    }

    @Test("the server's own refusals keep their SQLSTATE")
    func refusals() async throws {
        #expect(try await failure { $0.database = "none" }.sqlState == "3D000")
        guard case .authentication = try await failure({ $0.user = "nobody" }) else {
            Issue.record("a refused user is another error")
            return
        }
    }

    @Test("a server that accepts and says nothing: time-out")
    func silent() async throws {
        let listener = try SilentListener()
        let error = try await failure {
            $0.port = listener.port
            $0.connectTimeout = .milliseconds(200)
        }
        #expect(error == .timeout)
        listener.close()
    }
}

@Suite("TLS", SharedServer(accessRules: ["hostnossl all all all reject"], usesTLS: true))
struct TLSTests {
    @Test("a verified connection carries queries and large rows")
    func verified() async throws {
        let certificate = try #require(SharedServer.current).certificate.path
        let connection = try await connect {
            $0.tlsMode = .verifyFull
            $0.rootCertificate = certificate
        }
        #expect(await connection.usesTLS)
        // Rows larger than a TLS record and than libpq's buffer: what TLS holds back must be read too.
        for size in [1, 8_000, 16_384, 20_000, 100_000, 3_000_000] {
            let row = try await connection.query("SELECT repeat('x', $1)", ["\(size)"])[0]
            #expect(row[0]?.utf8.count == size)
        }
        let count = try await connection.withCopyOut(
            "COPY (SELECT repeat('x', i * 7) FROM generate_series(1, 5000) i) TO STDOUT"
        ) { copy in
            var count = 0
            while let batch = try await copy.next(maxBytes: 50_000, timeout: .seconds(60)) {
                count += batch.messages.count
            }
            return count
        }
        #expect(count == 5000)
        await connection.close()
    }

    @Test("a certificate of another authority, another name, or no TLS at all is refused")
    func refused() async throws {
        let certificate = try #require(SharedServer.current).certificate.path
        for change in [
            { @Sendable in $0.rootCertificate = "/etc/ssl/certs/ca-certificates.crt" },
            { @Sendable in $0.host = "127.0.0.2" },
        ] as [@Sendable (inout PostgresOptions) -> Void] {
            let error = await #expect(throws: PostgresError.self) {
                try await connect {
                    $0.tlsMode = .verifyFull
                    $0.rootCertificate = certificate
                    change(&$0)
                }
            }
            guard case .connect = error else {
                Issue.record("another error: \(String(describing: error))")
                continue
            }
        }
        let plain = await #expect(throws: PostgresError.self) { try await connect { $0.tlsMode = .disable } }
        guard case .authentication = plain else {
            Issue.record("another error: \(String(describing: plain))")
            return
        }
    }
}
