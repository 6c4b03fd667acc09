package import Foundation
import Glibc

/// A program of the operating system that runs to its end.
///
/// No thread waits for it: there are as many as cores for all tests, and a program of seconds would make others late.
package enum Program {
    /// - Returns: Its exit status, and what it wrote.
    /// - Throws: Where it cannot be started, and `CancellationError`; then it is killed.
    package static func run(
        _ path: String, _ arguments: [String], in folder: URL
    ) async throws -> (status: Int32, output: String) {
        let written = folder.appending(path: "output-\(UUID().uuidString)")
        try Data().write(to: written)
        defer { try? FileManager.default.removeItem(at: written) }
        let output = try FileHandle(forWritingTo: written)
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        let (exits, exit) = AsyncStream<Void>.makeStream()
        process.terminationHandler = { _ in exit.finish() }
        try process.run()
        for await _ in exits {}
        if Task.isCancelled, process.isRunning { _ = Glibc.kill(process.processIdentifier, SIGKILL) }
        let status = status(of: process)
        try Task.checkCancellation()
        return (status, (try? String(contentsOf: written, encoding: .utf8)) ?? "")
    }

    /// Of a program that has ended, or is about to.
    private static func status(of process: Process) -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }
}
