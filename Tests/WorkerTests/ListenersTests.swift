import Crypto
import Foundation
import Logging
import NIOPosix
import Observability
import RESP
import RESPServer
import RedisClient
import RegionConfig
import ServerFixtures
import Testing

@testable import Worker

@Suite("The ports of a worker", .timeLimit(.minutes(5)))
struct ListenersTests {
    @Test("let in whom the file of accounts lets in, as it is now, and drop nobody when it changes")
    func accounts() async throws {
        try await withFolder { folder in
            try write(["billing"], to: folder)
            try await withPort(folder, "accountsFile: accounts.yaml") { port, states in
                let stays = try await connect(port, "billing")
                #expect(try await stays.send(RedisCommand("PING")).string == "PONG")
                await #expect(throws: RedisError.self) { try await connect(port, "pulse") }

                try write(["billing", "pulse"], to: folder)
                try await eventually { (try? await connect(port, "pulse")) != nil }
                #expect(try await stays.send(RedisCommand("PING")).string == "PONG")

                try Data("accounts: nonsense".utf8).write(to: folder.appending(path: "accounts.yaml"))
                try await eventually { states.state(of: ListenerFiles.component)?.name == "unreadable" }
                _ = try await connect(port, "pulse")

                try write(["pulse"], to: folder)
                try await eventually { (try? await connect(port, "billing")) == nil }
                // Behind that the sessions of before are told.
                try await eventually { states.state(of: ListenerFiles.component) == nil }
                await #expect(throws: RedisError.self) { try await stays.send(RedisCommand("ECHO", "x")) }
            }
        }
    }

    @Test("see a change far behind the file's beginning that leaves it as long as it was")
    func secretReplaced() async throws {
        try await withFolder { folder in
            try write(["billing", "pulse"], to: folder)
            let region = try region(folder, port: 8888, "accountsFile: accounts.yaml")
            let files = ListenerFiles(
                region.listeners, states: ComponentStates(),
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            let store = try await files.accounts()
            #expect(store.current.account(named: "pulse") != nil)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await files.watch() }
                try write(["billing", "gauge"], to: folder)
                try await eventually { store.current.account(named: "gauge") != nil }
                tasks.cancelAll()
            }
            #expect(store.current.account(named: "pulse") == nil)
        }
    }

    @Test("show a new certificate on every port that shows it")
    func sharedCertificate() async throws {
        try await RedisServer.with(usesTLS: true) { old in
            try await RedisServer.with(usesTLS: true) { new in
                try await withFolder { folder in
                    try copyCertificate(of: old, to: folder)
                    let (one, other) = (try freePort(), try freePort())
                    let tls = "tls: {certFile: server.crt, keyFile: server.key}"
                    try await serve(
                        folder, port: one, further: ", \(tls)", "voice: {port: \(other), \(tls)}", ComponentStates()
                    ) {
                        for port in [one, other] {
                            try await eventually { (try? await connect(port, trusting: old)) != nil }
                        }
                        try copyCertificate(of: new, to: folder)
                        for port in [one, other] {
                            try await eventually { (try? await connect(port, trusting: new)) != nil }
                        }
                    }
                }
            }
        }
    }

    @Test("wait for a port that somebody else has")
    func taken() async throws {
        try await withFolder { folder in
            try await RedisServer.with { other in
                let states = ComponentStates()
                try await serve(folder, port: other.port, "", states) {
                    try await eventually { states.state(of: Listeners.component("config"))?.name == "cannot-listen" }
                    await other.kill()
                    try await eventually { states.state(of: Listeners.component("config"))?.name == "listening" }
                    _ = try await connect(other.port, nil)
                }
            }
        }
    }

    private func withPort(
        _ folder: URL, _ lines: String, _ body: (_ port: Int, ComponentStates) async throws -> Void
    ) async throws {
        let port = try freePort()
        let states = ComponentStates()
        try await serve(folder, port: port, lines, states) {
            try await eventually { states.state(of: Listeners.component("config"))?.name == "listening" }
            try await body(port, states)
        }
    }

    /// Serves port `config`, with `further` settings, and the ports that stand in `lines`.
    private func serve(
        _ folder: URL, port: Int, further: String = "", _ lines: String, _ states: ComponentStates,
        _ body: () async throws -> Void
    ) async throws {
        let region = try region(folder, port: port, further: further, lines)
        let listeners = Listeners(
            region: region, open: OpenPorts(), states: states, metrics: MetricsRegistry(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let ports = region.listeners.opened.map { name, listener in
            Listeners.Port(name: name, listener: listener, table: CommandTable([]))
        }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await listeners.run(ports) }
            try await body()
            tasks.cancelAll()
        }
    }

    private func region(_ folder: URL, port: Int, further: String = "", _ lines: String) throws -> Region {
        let path = folder.appending(path: "region.yaml")
        let text = """
            region: east
            redis: {host: 127.0.0.1, port: 6379}
            postgres: {host: 127.0.0.1, port: 5432, database: d, user: u}
            catalog: [{table: public.thing, type: thing, key: [id], tenant: tenant}]
            listeners:
              config: {port: \(port)\(further)}
              \(lines)
            """
        try Data(text.utf8).write(to: path)
        return try RegionFile.load(path.path, environment: [:])
    }

    private func withFolder(_ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "listeners-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder)
    }

    /// Accounts whose secrets are their names.
    private func write(_ names: [String], to folder: URL) throws {
        let accounts = names.map { name in
            let hash = SHA256.hash(data: Data(name.utf8)).map { String($0, radix: 16).leftPadded }.joined()
            return "  - {name: \(name), secretHashes: ['#\(hash)'], tenants: [all], permissions: [read]}"
        }
        let text = (["accounts:"] + accounts).joined(separator: "\n")
        // Nobody is to read half of it.
        try Data(text.utf8).write(to: folder.appending(path: "accounts.yaml"), options: .atomic)
    }

    /// The certificate that the fixture made for its own server.
    private func copyCertificate(of fixture: RedisServer, to folder: URL) throws {
        for name in ["server.crt", "server.key"] {
            try Data(contentsOf: fixture.folder.appending(path: name)).write(to: folder.appending(path: name))
        }
    }

    private func connect(_ port: Int, trusting fixture: RedisServer) async throws {
        let endpoint = RedisEndpoint(
            host: "127.0.0.1", port: port, tls: RedisEndpoint.TLS(caFile: fixture.caCertificate.path),
            connectTimeout: .seconds(60))
        let connection = try await RedisConnection.connect(
            to: endpoint, name: "test", on: MultiThreadedEventLoopGroup.singleton.any())
        await connection.close()
    }

    /// Fails where the port refuses, which may take a while: failed logins are slowed down.
    @discardableResult
    private func connect(_ port: Int, _ name: String?) async throws -> RedisConnection {
        let endpoint = RedisEndpoint(
            host: "127.0.0.1", port: port, username: name, password: name, connectTimeout: .seconds(60),
            responseTimeout: .seconds(60), linkTimeout: .seconds(60))
        return try await .connect(to: endpoint, name: "test", on: MultiThreadedEventLoopGroup.singleton.any())
    }

    private func eventually(_ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try await !condition() {
            try #require(ContinuousClock.now < deadline)
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

extension String {
    fileprivate var leftPadded: String { count == 1 ? "0" + self : self }
}
