import Journal
import NIOCore

/// What one region's events take to another region's Redis. Lives on one event loop.
final class Direction {
    let from: String
    let to: String
    private var matchers: [LagMatcher]
    private var latencies = Latencies()
    private var produced = 0
    private var receivedBefore = 0
    private var drained: EventLoopPromise<Void>?

    init(from: String, to: String, journals: Int) {
        self.from = from
        self.to = to
        matchers = Array(repeating: LagMatcher(), count: journals)
    }

    /// Journals that are not observed are passed over.
    func acknowledged(_ journal: Int, _ id: EntryID, sentAt time: NIODeadline) {
        guard journal < matchers.count else { return }
        produced += 1
        if let lag = matchers[journal].acknowledged(id, sentAt: time) { latencies.record(nanoseconds: lag.nanoseconds) }
    }

    func received(_ journal: Int, _ id: EntryID, at time: NIODeadline) {
        guard journal < matchers.count else { return }
        if let lag = matchers[journal].received(id, at: time) { latencies.record(nanoseconds: lag.nanoseconds) }
        reportDrained()
    }

    /// Journals that are observed.
    var journalCount: Int { matchers.count }

    /// Succeeds once nothing that was acknowledged is missing.
    func drain(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        drained?.succeed()
        drained = promise
        reportDrained()
        return promise.futureResult
    }

    /// Nobody waits any longer.
    func giveUp() {
        drained?.succeed()
        drained = nil
    }

    /// As of now; the last second ends here.
    func takeReport(seconds: Double) -> GeneratorReport.Direction {
        let (backlog, missing) = (self.backlog, matchers.reduce(0) { $0 + $1.missing })
        let received = produced - backlog - missing
        defer { receivedBefore = received }
        return GeneratorReport.Direction(
            from: from, to: to, eventsPerSecond: Double(received - receivedBefore) / max(seconds, 0.001),
            produced: produced, received: received, missing: missing, backlog: backlog, lagMs: latencies.total,
            lastSecondLagMs: latencies.takeRecent())
    }

    private var backlog: Int { matchers.reduce(0) { $0 + $1.backlog } }

    private func reportDrained() {
        if let drained, backlog == 0 {
            drained.succeed()
            self.drained = nil
        }
    }
}
