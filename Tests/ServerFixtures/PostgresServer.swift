package import Foundation
import Glibc

/// A PostgreSQL server of the test's own: its own folder, a free port on the loopback address, logical replication on.
///
/// Superuser `postgres`, database `postgres`, no password unless `accessRules` ask for one. Runs as the operating
/// system's user `postgres` where the test runs as root, because the server refuses root.
package actor PostgresServer {
    package enum StopMode: Sendable {
        /// Sessions are cut off, the log is flushed: a clean end.
        case fast
        /// As a crash, but the server's children are told: recovery follows.
        case immediate

        fileprivate var signal: Int32 { self == .fast ? SIGINT : SIGQUIT }
    }

    package enum Failure: Error {
        case noBinaries
        case command(String, log: String)
        case notReady(log: String)
    }

    package nonisolated let host = "127.0.0.1"
    package nonisolated let port: Int
    package nonisolated let folder: URL
    private let binaries: URL
    private let arguments: [String]
    private var process: Process?
    private var exits: AsyncStream<Void>?

    /// The server's own process, nil while it is stopped.
    package var processID: Int32? { process?.processIdentifier }
    package nonisolated var dataFolder: URL { folder.appending(path: "data") }
    /// The server's certificate, self-signed for `localhost` and 127.0.0.1; there if `usesTLS`.
    package nonisolated var certificate: URL { folder.appending(path: "server.crt") }

    // MARK: Life

    /// Makes a cluster and starts it. `settings` win over the fixture's own; `accessRules` are lines of pg_hba.conf, put
    /// before "trust everybody on the loopback address"; `isDurable` is with fsync, for tests that need a real flush.
    package static func start(
        settings: [String: String] = [:], accessRules: [String] = [], isDurable: Bool = false, usesTLS: Bool = false
    ) async throws -> PostgresServer {
        let server = try PostgresServer(settings: settings, isDurable: isDurable, usesTLS: usesTLS)
        do {
            try await server.makeCluster(accessRules: accessRules, usesTLS: usesTLS)
            try await server.start()
        } catch {
            await server.discard()
            throw error
        }
        return server
    }

    private init(settings: [String: String], isDurable: Bool, usesTLS: Bool) throws {
        binaries = try Self.newestBinaries()
        port = try freePort()
        folder = FileManager.default.temporaryDirectory.appending(path: "regionsync-postgres-\(UUID().uuidString)")
        var all = [
            "listen_addresses": host, "port": String(port), "unix_socket_directories": "", "wal_level": "logical",
            "max_wal_senders": "20", "max_replication_slots": "20", "shared_buffers": "16MB", "autovacuum": "off",
            "fsync": isDurable ? "on" : "off", "full_page_writes": isDurable ? "on" : "off",
        ]
        if usesTLS {
            all["ssl"] = "on"
            all["ssl_cert_file"] = folder.appending(path: "server.crt").path
            all["ssl_key_file"] = folder.appending(path: "server.key").path
        }
        all.merge(settings) { _, chosen in chosen }
        arguments =
            ["-D", folder.appending(path: "data").path]
            + all.sorted { $0.key < $1.key }.flatMap { ["-c", "\($0)=\($1)"] }
    }

    /// Starts a stopped server on the same data and port, and waits until it takes connections.
    package func start() async throws {
        // After a SIGKILL the old server's children may hold its shared memory for a moment.
        let deadline = ContinuousClock.now + .seconds(90)
        while ContinuousClock.now < deadline {
            try launch()
            while let process, process.isRunning, ContinuousClock.now < deadline {
                if isReady { return }
                try await Task.sleep(for: .milliseconds(10))
            }
            await awaitExit(orKill: true)
        }
        throw Failure.notReady(log: log)
    }

    package func stop(_ mode: StopMode = .fast) async {
        if let process { _ = Glibc.kill(process.processIdentifier, mode.signal) }
        await awaitExit()
    }

    /// SIGKILL to the server's first process; its children notice and end by themselves.
    package func kill() async {
        await awaitExit(orKill: true)
    }

    package func restart(_ mode: StopMode = .fast) async throws {
        await stop(mode)
        try await start()
    }

    /// Stops the server and deletes its folder.
    package func discard() async {
        await stop(.immediate)
        try? FileManager.default.removeItem(at: folder)
    }

    /// What the server wrote so far.
    package var log: String { (try? String(contentsOf: folder.appending(path: "log"), encoding: .utf8)) ?? "" }

    // MARK: Process

    /// Line 8 of postmaster.pid, as pg_ctl reads it; line 1 tells an old file from ours.
    private var isReady: Bool {
        let file = dataFolder.appending(path: "postmaster.pid")
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.count >= 8 && lines[0] == "\(processID ?? 0)" && lines[7].hasPrefix("ready")
    }

    private func launch() throws {
        let process = Process()
        let (program, arguments) = asServerUser(binaries.appending(path: "postgres").path, arguments)
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.currentDirectoryURL = folder
        let log = try FileHandle(forWritingTo: folder.appending(path: "log"))
        try log.seekToEnd()
        process.standardOutput = log
        process.standardError = log
        process.standardInput = FileHandle.nullDevice
        let (exits, exit) = AsyncStream<Void>.makeStream()
        process.terminationHandler = { _ in exit.finish() }
        try process.run()
        self.process = process
        self.exits = exits
    }

    private func awaitExit(orKill: Bool = false) async {
        guard let process, let exits else { return }
        if orKill { _ = Glibc.kill(process.processIdentifier, SIGKILL) }
        for await _ in exits {}
        self.process = nil
        self.exits = nil
    }

    private func makeCluster(accessRules: [String], usesTLS: Bool) async throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data().write(to: folder.appending(path: "log"))
        if usesTLS {
            try await run(
                "/usr/bin/openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", folder.appending(path: "server.key").path, "-out", certificate.path,
                ])
        }
        if geteuid() == 0 { try await run("/bin/chown", ["-R", "postgres:postgres", folder.path]) }
        let (program, arguments) = asServerUser(
            binaries.appending(path: "initdb").path,
            [
                "-D", dataFolder.path, "-U", "postgres", "-E", "UTF8", "--locale=C", "--auth=trust", "--no-sync",
                "--no-instructions",
            ])
        try await run(program, arguments)
        let rules = dataFolder.appending(path: "pg_hba.conf")
        let text = try String(contentsOf: rules, encoding: .utf8)
        // Written through the open file, so that its owner stays.
        let file = try FileHandle(forWritingTo: rules)
        try file.write(contentsOf: Data((accessRules.joined(separator: "\n") + "\n" + text).utf8))
        try file.close()
    }

    private func run(_ program: String, _ arguments: [String]) async throws {
        let (status, output) = try await Program.run(program, arguments, in: folder)
        guard status == 0 else { throw Failure.command(program, log: output) }
    }

    /// `setpriv` becomes the program, so the process id is the server's own.
    private nonisolated func asServerUser(_ program: String, _ arguments: [String]) -> (String, [String]) {
        guard geteuid() == 0 else { return (program, arguments) }
        return (
            "/usr/bin/setpriv",
            ["--reuid=postgres", "--regid=postgres", "--clear-groups", program] + arguments
        )
    }

    private static func newestBinaries() throws -> URL {
        let root = URL(filePath: "/usr/lib/postgresql")
        let versions = try FileManager.default.contentsOfDirectory(atPath: root.path).compactMap(Int.init).sorted()
        guard let newest = versions.last else { throw Failure.noBinaries }
        return root.appending(path: "\(newest)/bin")
    }
}
