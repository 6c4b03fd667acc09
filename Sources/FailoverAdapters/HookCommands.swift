internal import Failover
internal import Foundation
internal import RegionConfig

/// Runs the commands of a region file. What they print goes to standard error.
struct HookCommands: FailoverHooks {
    let region: String
    let failover: Region.Failover

    func fence(_ down: String) async throws(FailoverFailure) -> HookResult {
        try await run(failover.fence, named: "failover.fence", down)
    }

    func promote(_ down: String) async throws(FailoverFailure) -> HookResult {
        try await run(failover.promote, named: "failover.promote", down)
    }

    private func run(_ words: [String], named name: String, _ down: String) async throws(FailoverFailure) -> HookResult
    {
        guard let program = words.first else { return .absent }
        let process = Process()
        let isPath = program.contains("/")
        process.executableURL = URL(filePath: isPath ? program : "/usr/bin/env")
        process.arguments = isPath ? Array(words.dropFirst()) : words
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["FAILOVER_REGION": region, "FAILOVER_DOWN_REGION": down]) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.standardError
        process.standardError = FileHandle.standardError
        let (exits, exit) = AsyncStream<Never>.makeStream()
        process.terminationHandler = { _ in exit.finish() }
        do {
            try Self.withSignalsUnblocked { try process.run() }
        } catch {
            throw .failed("\(name): \(program) cannot be run: \(error.localizedDescription)")
        }
        let isLate = await Self.isLate(exits, failover.hookTimeout, process.processIdentifier)
        guard !isLate else { throw .failed("\(name) did not end within \(failover.hookTimeout)") }
        switch (process.terminationReason, process.terminationStatus) {
        case (.exit, 0): return .succeeded
        case (.exit, let status): throw .failed("\(name) ended with status \(status)")
        case (_, let signal): throw .failed("\(name) was ended by signal \(signal)")
        }
    }

    /// Waits for the end of a process; true when it had to be ended: asked to, then made to.
    private static func isLate(_ exits: AsyncStream<Never>, _ timeout: Duration, _ process: Int32) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await _ in exits {}
                return false
            }
            group.addTask {
                guard (try? await Task.sleep(for: timeout)) != nil else { return false }
                kill(process, SIGTERM)
                guard (try? await Task.sleep(for: .seconds(2))) != nil else { return true }
                kill(process, SIGKILL)
                return true
            }
            var isLate = false
            // The stream ends first, unless the process has to be ended.
            if let first = await group.next() { isLate = first }
            group.cancelAll()
            for await rest in group { isLate = isLate || rest }
            return isLate
        }
    }

    /// Threads of Swift's pool block signals, a child inherits that, and it would never hear of one.
    private static func withSignalsUnblocked(_ body: () throws -> Void) rethrows {
        var none = sigset_t()
        var before = sigset_t()
        unsafe sigemptyset(&none)
        unsafe pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }
}
