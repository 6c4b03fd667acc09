import Foundation
import NIOPosix
import Synchronization

/// Says every second how far the generator is, and keeps the report file.
final class Reporter: Sendable {
    private let path: String?
    private let threads: NIOThreadPool
    private let say: @Sendable (String) -> Void
    private let take: @Sendable (_ elapsed: Duration, _ last: Duration, _ isFinal: Bool) async -> GeneratorReport?
    private let began = ContinuousClock.now
    private let last = Mutex(Duration.zero)

    init(
        _ settings: GeneratorSettings, threads: NIOThreadPool, say: @escaping @Sendable (String) -> Void,
        take: @escaping @Sendable (Duration, Duration, Bool) async -> GeneratorReport?
    ) {
        path = settings.reportPath
        self.threads = threads
        self.say = say
        self.take = take
    }

    /// A line and a report every second, until the task is cancelled.
    func run() async {
        for second in 1... {
            do {
                try await Task.sleep(until: began + .seconds(second), clock: .continuous)
            } catch {
                return
            }
            if let report = await report(isFinal: false) { say(report.progress) }
        }
    }

    /// The last report; nothing changes after it.
    func final() async -> GeneratorReport? {
        await report(isFinal: true)
    }

    private func report(isFinal: Bool) async -> GeneratorReport? {
        let elapsed = ContinuousClock.now - began
        let last = last.withLock { last in
            defer { last = elapsed }
            return last
        }
        guard let report = await take(elapsed, last, isFinal) else { return nil }
        if let path { await write(report, to: path) }
        return report
    }

    /// Readers find the old document or the new one, whole.
    private func write(_ report: GeneratorReport, to path: String) async {
        await withCheckedContinuation { continuation in
            threads.submit { [say] _ in
                do {
                    try report.json.write(to: URL(fileURLWithPath: path), options: .atomic)
                } catch {
                    say("cannot write \(path): \(error.localizedDescription)")
                }
                continuation.resume()
            }
        }
    }
}
