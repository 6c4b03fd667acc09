package import Foundation
import Glibc

/// A Redis server of the test's own: its own folder and free ports on the loopback address, nothing written to disk unless
/// `settings` ask for it.
package actor RedisServer {
    package enum Failure: Error {
        case noProgram
        case command(String)
        case notReady(log: String)
    }

    package nonisolated let host = "127.0.0.1"
    package nonisolated let port: Int
    /// Where the server speaks TLS; there if it was started with `usesTLS`.
    package nonisolated let tlsPort: Int?
    package nonisolated let folder: URL
    /// The authority that signed the server's certificate.
    package nonisolated var caCertificate: URL { folder.appending(path: "ca.crt") }
    private let settings: [String]
    private var process: Process?
    private var exits: AsyncStream<Void>?

    /// The server's process, nil while it is stopped.
    package var processID: Int32? { process?.processIdentifier }

    /// Starts a server and waits until it answers.
    ///
    /// - Parameters:
    ///   - settings: Lines of redis.conf, such as `appendonly yes`; they win over the fixture's own.
    ///   - usesTLS: Whether it speaks TLS too, with a certificate made for it.
    ///   - certificateNames: What the certificate is good for.
    /// - Returns: A server that answers PING.
    /// - Throws: `Failure`, with the server's log where there is one.
    package static func start(
        settings: [String] = [], usesTLS: Bool = false, certificateNames: String = "DNS:localhost,IP:127.0.0.1"
    ) async throws -> RedisServer {
        let server = try RedisServer(settings: settings, usesTLS: usesTLS)
        do {
            if usesTLS { try await server.makeCertificates(names: certificateNames) }
            try await server.start()
        } catch {
            await server.discard()
            throw error
        }
        return server
    }

    /// Runs `body` with a server that is gone afterwards, whatever happens; see `start` for the rest.
    package static func with(
        settings: [String] = [], usesTLS: Bool = false, certificateNames: String = "DNS:localhost,IP:127.0.0.1",
        _ body: (RedisServer) async throws -> Void
    ) async throws {
        let server = try await start(settings: settings, usesTLS: usesTLS, certificateNames: certificateNames)
        do {
            try await body(server)
        } catch {
            await server.discard()
            throw error
        }
        await server.discard()
    }

    private init(settings: [String], usesTLS: Bool) throws {
        port = try freePort()
        tlsPort = usesTLS ? try freePort() : nil
        folder = FileManager.default.temporaryDirectory.appending(path: "regionsync-redis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var all = [
            "bind 127.0.0.1", "port \(port)", "dir \(folder.path)", "save \"\"", "appendonly no", "daemonize no",
            "enable-debug-command local",
        ]
        if let tlsPort {
            all += [
                "tls-port \(tlsPort)", "tls-cert-file \(folder.path)/server.crt",
                "tls-key-file \(folder.path)/server.key", "tls-ca-cert-file \(folder.path)/ca.crt",
                "tls-auth-clients no",
            ]
        }
        self.settings = all + settings
    }

    // MARK: Life

    /// Starts a stopped server on the same folder and ports, and waits until it answers.
    package func start() async throws {
        try launch()
        let deadline = ContinuousClock.now + .seconds(60)
        while let process, process.isRunning, ContinuousClock.now < deadline {
            if answersPing { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        await awaitExit(after: SIGKILL)
        throw Failure.notReady(log: log)
    }

    /// SIGTERM: the server saves what it is configured to save and ends.
    package func stop() async { await awaitExit(after: SIGTERM) }

    /// SIGKILL: the server ends as in a crash.
    package func kill() async { await awaitExit(after: SIGKILL) }

    /// SIGSTOP: the kernel still takes bytes and connections, nobody answers.
    package func pause() { signal(SIGSTOP) }

    /// SIGCONT.
    package func resume() { signal(SIGCONT) }

    package func restart() async throws {
        await stop()
        try await start()
    }

    /// Kills the server and deletes its folder.
    package func discard() async {
        await kill()
        try? FileManager.default.removeItem(at: folder)
    }

    /// What the server wrote so far.
    package var log: String {
        (try? String(contentsOf: folder.appending(path: "log"), encoding: .utf8)) ?? ""
    }

    // MARK: Append-only file

    /// Where the append-only file ends now; with `appendfsync always` all that was acknowledged is in it.
    package var appendOnlyEnd: UInt64 {
        get throws { try FileHandle(forReadingFrom: appendOnlyFile()).seekToEnd() }
    }

    /// Kills the server, cuts its append-only file at `end`, adds commands to it, and starts the server with that.
    package func restart(cutAt end: UInt64, adding commands: [[String]] = []) async throws {
        await kill()
        let file = try FileHandle(forWritingTo: appendOnlyFile())
        try file.truncate(atOffset: end)
        for words in commands {
            let text = words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
            try file.write(contentsOf: Data("*\(words.count)\r\n\(text)".utf8))
        }
        try file.close()
        try await start()
    }

    /// The part that commands are appended to, as long as it was never rewritten.
    private func appendOnlyFile() throws -> URL {
        let files = try FileManager.default.contentsOfDirectory(
            at: folder.appending(path: "appendonlydir"), includingPropertiesForKeys: nil)
        guard let file = files.first(where: { $0.lastPathComponent.hasSuffix(".incr.aof") }) else {
            throw Failure.command("no append-only file")
        }
        return file
    }

    // MARK: Process

    private func launch() throws {
        let programs = ["/usr/bin/redis-server", "/usr/local/bin/redis-server"]
        guard let program = programs.first(where: FileManager.default.isExecutableFile(atPath:)) else {
            throw Failure.noProgram
        }
        let configuration = folder.appending(path: "redis.conf")
        try Data((settings.joined(separator: "\n") + "\n").utf8).write(to: configuration)
        let logFile = folder.appending(path: "log")
        if !FileManager.default.fileExists(atPath: logFile.path) { try Data().write(to: logFile) }
        let output = try FileHandle(forWritingTo: logFile)
        try output.seekToEnd()

        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = [configuration.path]
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        let (exits, exit) = AsyncStream<Void>.makeStream()
        process.terminationHandler = { _ in exit.finish() }
        // Threads of Swift's pool block signals, a child inherits that, and Redis would never hear of SIGTERM.
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
        self.process = process
        self.exits = exits
    }

    private func signal(_ number: Int32) {
        guard let process else { return }
        _ = Glibc.kill(process.processIdentifier, number)
    }

    private func awaitExit(after number: Int32) async {
        guard let process, let exits else { return }
        signal(number)
        // A paused server ends only when it may run again; SIGKILL needs no such thing.
        if number != SIGKILL { signal(SIGCONT) }
        for await _ in exits {}
        // A cancelled test does not wait, but leaves no server behind either.
        if process.isRunning { signal(SIGKILL) }
        self.process = nil
        self.exits = nil
    }

    /// Whether the server answers a PING, be it with NOAUTH; not while it loads.
    private var answersPing: Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 0, tv_usec: 200_000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr = in_addr(s_addr: INADDR_LOOPBACK.bigEndian)
        address.sin_port = in_port_t(port).bigEndian
        let connected = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected, send(descriptor, "PING\r\n", 6, Int32(MSG_NOSIGNAL)) == 6 else { return false }
        var answer = [UInt8](repeating: 0, count: 64)
        let count = recv(descriptor, &answer, answer.count, 0)
        let text = String(decoding: answer.prefix(max(count, 0)), as: UTF8.self)
        return text.hasPrefix("+PONG") || text.hasPrefix("-NOAUTH")
    }

    // MARK: Certificates

    private func makeCertificates(names: String) async throws {
        try await openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=Test-CA "
                + "-addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.crt")
        try await openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost "
                + "-keyout server.key -out server.csr")
        try Data("subjectAltName=\(names)\n".utf8).write(to: folder.appending(path: "names"))
        try await openssl(
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt")
    }

    private func openssl(_ arguments: String) async throws {
        let words = arguments.split(separator: " ").map(String.init)
        let (status, output) = try await Program.run("/usr/bin/openssl", words, in: folder)
        guard status == 0 else { throw Failure.command("openssl \(arguments): \(output)") }
    }
}
