import Foundation
import NIOPosix
import RESP
import RedisClient
import ServerFixtures
import Testing

@testable import RESPServer

/// The certificates are those that the fixture makes for its own server.
@Suite("RESP server's TLS", .serialized, .timeLimit(.minutes(5))) struct ServerTLSTests {
    @Test("TLS, and none of it from others")
    func encrypted() async throws {
        try await RedisServer.with(usesTLS: true) { fixture in
            let tls = try await ServerTLS.read(fixture.files(clientCA: false))
            try await TestServer.with(tls: tls, { $0.handshakeTime = .seconds(60) }) { server in
                let connection = try await connect(server, .init(caFile: fixture.caCertificate.path))
                let text = String(repeating: "x", count: 300_000)
                #expect(try await connection.send(RedisCommand("ECHO", text)).string == text)
                await connection.close()
                await #expect(throws: RedisError.self) { try await connect(server, .init()) }
                let clear = try server.client()
                clear.send("PING\r\n")
                _ = await clear.read(.max)
                try await eventually { server.connections == 0 }
            }
            try await TestServer.with(tls: tls, { $0.handshakeTime = .milliseconds(300) }) { server in
                let silent = try server.client()
                await silent.expectEnd()
                #expect(server.rejected(.handshake) == 1)
            }
        }
    }

    @Test("A certificate of our authority is a login by its name")
    func clientCertificate() async throws {
        try await RedisServer.with(usesTLS: true) { fixture in
            let tls = try await ServerTLS.read(fixture.files(clientCA: true))
            let entry = Accounts.Entry(account: .reader, secrets: [], certificateNames: ["localhost"])
            let table = CommandTable([.test("T.WHO", .immediate { .text($0.account.name) })])
            try await TestServer.with(table: table, accounts: AccountStore(Accounts([entry])), tls: tls) { server in
                var client = RedisEndpoint.TLS(caFile: fixture.caCertificate.path)
                await #expect(throws: RedisError.self) { try await connect(server, client) }
                client.certFile = fixture.folder.appending(path: "server.crt").path
                client.keyFile = fixture.folder.appending(path: "server.key").path
                let connection = try await connect(server, client)
                #expect(try await connection.send(RedisCommand("T.WHO")).string == "pulse")
                await connection.close()
            }
        }
    }

    @Test("Who has logged in by a certificate need not hurry to say something")
    func silentCertificate() async throws {
        try await RedisServer.with(usesTLS: true) { fixture in
            let tls = try await ServerTLS.read(fixture.files(clientCA: true))
            let entry = Accounts.Entry(account: .reader, secrets: [], certificateNames: ["localhost"])
            let accounts = AccountStore(Accounts([entry]))
            try await TestServer.with(accounts: accounts, tls: tls, { $0.handshakeTime = .seconds(1) }) { server in
                // One whose handshake is late, on a busy machine, is cut off for that, and another one tries.
                try await eventually { try await answersAfterSilence(server, fixture.folder) }
            }
        }
    }

    /// Whether a client with a certificate is answered that first says something when another one, which came later and
    /// never does, has been cut off.
    private func answersAfterSilence(_ server: TestServer, _ folder: URL) async throws -> Bool {
        let word = folder.appending(path: "speak")
        try? FileManager.default.removeItem(at: word)
        try await eventually { (server.connections ?? 0) == 0 }
        async let run = Program.run(
            "/bin/sh",
            [
                "-c",
                """
                { while [ -e server.key ] && [ ! -e speak ]; do sleep 0.05; done; printf 'PING\\r\\nQUIT\\r\\n'; } |
                    openssl s_client -quiet -connect 127.0.0.1:\(server.port) -servername localhost \
                        -CAfile ca.crt -cert server.crt -key server.key
                """,
            ], in: folder)
        for _ in 0..<2000 where (server.connections ?? 0) == 0 { try await Task.sleep(for: .milliseconds(5)) }
        let silent = try server.client()
        await silent.expectEnd()
        try Data().write(to: word)
        return try await run.output.contains("+PONG")
    }

    @Test("Certificates are read again while clients stay")
    func reload() async throws {
        try await RedisServer.with(usesTLS: true) { old in
            try await RedisServer.with(usesTLS: true) { new in
                let tls = try await ServerTLS.read(old.files(clientCA: false))
                try await TestServer.with(tls: tls) { server in
                    let first = try await connect(server, .init(caFile: old.caCertificate.path))
                    for name in ["server.crt", "server.key"] {
                        let bytes = try Data(contentsOf: new.folder.appending(path: name))
                        try bytes.write(to: old.folder.appending(path: name))
                    }
                    try await tls.reload()
                    let second = try await connect(server, .init(caFile: new.caCertificate.path))
                    await #expect(throws: RedisError.self) {
                        try await connect(server, .init(caFile: old.caCertificate.path))
                    }
                    #expect(try await first.send(RedisCommand("PING")).string == "PONG")

                    let key = old.folder.appending(path: "server.key")
                    try Data("no key".utf8).write(to: key)
                    let fault = RESPServerError.tls(reason: "\(key.path) holds no key in PEM without a passphrase")
                    await #expect(throws: fault) { try await tls.reload() }
                    let third = try await connect(server, .init(caFile: new.caCertificate.path))
                    for connection in [first, second, third] { await connection.close() }
                }
            }
        }
    }

    @discardableResult
    private func connect(_ server: TestServer, _ tls: RedisEndpoint.TLS) async throws -> RedisConnection {
        var endpoint = server.endpoint
        endpoint.tls = tls
        return try await RedisConnection.connect(
            to: endpoint, name: "tests", on: MultiThreadedEventLoopGroup.singleton.next())
    }
}

extension RedisServer {
    fileprivate nonisolated func files(clientCA: Bool) -> ServerTLS.Files {
        ServerTLS.Files(
            certFile: folder.appending(path: "server.crt").path, keyFile: folder.appending(path: "server.key").path,
            clientCAFile: clientCA ? caCertificate.path : nil)
    }
}
