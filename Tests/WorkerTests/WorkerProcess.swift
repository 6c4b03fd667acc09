import Foundation
import Glibc
import Observability
import ServerFixtures
import Verification

/// `regionsync run` as a process of its own, which can be paused and killed.
final class WorkerProcess {
    enum Failure: Error {
        case command(String, log: String)
        case doesNotEnd
    }

    let name: String
    private let process: Process
    private let log: URL
    private let adminPort: Int

    /// Starts a worker for a region file whose values `environment` replaces; its log goes into `folder`.
    init(_ name: String, region: String, environment: [String: String], folder: URL) throws {
        self.name = name
        adminPort = try freePort()
        log = folder.appending(path: "\(name).log")
        var environment = environment
        environment["REGIONSYNC_ADMIN_PORT"] = "\(adminPort)"
        for port in ["CONFIG", "VOICE"] where environment["REGIONSYNC_LISTENERS_\(port)_PORT"] == nil {
            environment["REGIONSYNC_LISTENERS_\(port)_PORT"] = "\(try freePort())"
        }
        process = try Self.launch(["run", "--region", region], environment, log: log)
    }

    /// Runs another command of the program to its end.
    static func run(_ arguments: [String], environment: [String: String], folder: URL) async throws {
        let (status, text) = try await outcome(of: arguments, environment: environment, folder: folder)
        guard status == 0 else { throw Failure.command(arguments[0], log: text) }
    }

    /// Runs another command of the program to its end; answers its exit status, and all that it wrote.
    static func outcome(
        of arguments: [String], environment: [String: String], folder: URL
    ) async throws -> (status: Int32, text: String) {
        let log = folder.appending(path: "\(arguments[0]).log")
        let process = try launch(arguments, environment, log: log)
        try await untilEnded(process)
        return (process.terminationStatus, try String(contentsOf: log, encoding: .utf8))
    }

    // MARK: Life

    /// SIGSTOP: it stands still, its connections stay open.
    func pause() { kill(process.processIdentifier, SIGSTOP) }

    /// SIGCONT.
    func resume() { kill(process.processIdentifier, SIGCONT) }

    /// SIGKILL.
    func kill() { kill(process.processIdentifier, SIGKILL) }

    /// SIGTERM; returns at once.
    func terminate() { kill(process.processIdentifier, SIGTERM) }

    /// SIGTERM; returns when it has ended.
    func stop() async throws {
        terminate()
        try await Self.untilEnded(process)
    }

    /// Waits until a process has ended; one that does not is killed.
    private static func untilEnded(_ process: Process) async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while process.isRunning {
            guard ContinuousClock.now < deadline else {
                _ = Glibc.kill(process.processIdentifier, SIGKILL)
                throw Failure.doesNotEnd
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Whether it was ended by SIGKILL; nil while it runs.
    var wasKilled: Bool? {
        process.isRunning
            ? nil : process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL
    }

    private func kill(_ process: Int32, _ signal: Int32) {
        if self.process.isRunning { _ = Glibc.kill(process, signal) }
    }

    // MARK: Looking

    /// What it says of itself; nil while it does not answer.
    func status() async -> WorkerStatus? {
        let answer = await StatusReader.read(host: "127.0.0.1", port: adminPort, timeout: .seconds(20))
        if case .status(let status) = answer {
            status
        } else {
            nil
        }
    }

    /// A component's state as it says itself.
    func state(of component: String) async -> ComponentState? {
        await status()?.components.first { $0.component == component }?.state
    }

    /// The lines that it logged.
    var lines: [Substring] {
        ((try? String(contentsOf: log, encoding: .utf8)) ?? "").split(separator: "\n")
    }

    // MARK: Process

    /// The program stands beside the test's own executable.
    private static func launch(_ arguments: [String], _ environment: [String: String], log: URL) throws -> Process {
        let process = Process()
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        process.executableURL = URL(filePath: tests).deletingLastPathComponent().appending(path: "regionsync")
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        try Data().write(to: log)
        let output = try FileHandle(forWritingTo: log)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        // Threads of Swift's pool block signals, and a child inherits that.
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
        return process
    }
}
