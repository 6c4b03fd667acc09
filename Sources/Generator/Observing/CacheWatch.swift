import NIOCore
import RESP
import RedisClient

/// Watches one region's cache for changes that were committed, and measures how long each took to be seen there.
///
/// It asks for the changed fields over and over, on a connection of its own, as long as any is awaited. Lives on one event
/// loop.
final class CacheWatch {
    /// Changes awaited at once at most; others are not measured.
    private static let capacity = 64
    private static let interval = TimeAmount.microseconds(300)
    /// A change that was awaited for long need not be timed so finely: to one part in so many.
    private static let precision: Int64 = 20
    private static let limit = TimeAmount.seconds(60)

    private struct Awaited {
        let key: String
        let columns: [String]
        /// What the fields hold once the change is there: its values, or those of a later change.
        var values: [[String?]]
        let committedAt: NIODeadline
    }

    private let eventLoop: any EventLoop
    private var awaited: [Awaited] = []
    private var connection: RedisConnection?
    private var isPolling = false
    private var nextPoll: Scheduled<Void>?
    private var latencies = Latencies()
    private(set) var unseen = 0

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    var total: LatencyFigures? { latencies.total }

    func takeRecent() -> LatencyFigures? { latencies.takeRecent() }

    /// A transaction was committed then; `sample` is the row of it to wait for.
    func committed(_ rows: [CommittedRow], sample: CommittedRow?, at time: NIODeadline) {
        for index in awaited.indices {
            for row in rows where row.key == awaited[index].key {
                awaited[index].values.append(row.values(of: awaited[index].columns))
            }
        }
        guard let sample, awaited.count < Self.capacity else { return }
        let columns = sample.changed
        awaited.append(
            Awaited(key: sample.key, columns: columns, values: [sample.values(of: columns)], committedAt: time))
        poll()
    }

    /// Asks on this connection from now on. The result succeeds when it is lost.
    func connected(_ connection: RedisConnection) -> EventLoopFuture<Void> {
        let lost = eventLoop.makePromise(of: Void.self)
        self.connection = connection
        connection.closeFuture.assumeIsolated().whenComplete { _ in
            self.connection = nil
            lost.succeed()
        }
        poll()
        return lost.futureResult
    }

    private func poll() {
        guard !isPolling, let connection, !awaited.isEmpty else { return }
        isPolling = true
        nextPoll?.cancel()
        var missing = awaited.count
        for change in awaited {
            let command = RedisCommand(words: ["HMGET", change.key] + change.columns, runs: [])
            connection.send(command).assumeIsolated().whenComplete { result in
                if case .success(let reply) = result { self.seen(change.key, reply, at: .now()) }
                missing -= 1
                if missing == 0 { self.polled() }
            }
        }
    }

    private func seen(_ key: String, _ reply: RedisReply, at time: NIODeadline) {
        let values = reply.elements.map(\.string)
        awaited.removeAll { change in
            guard change.key == key, change.columns.count == values.count, change.values.contains(values) else {
                return false
            }
            latencies.record(nanoseconds: (time - change.committedAt).nanoseconds)
            return true
        }
    }

    private func polled() {
        isPolling = false
        let now = NIODeadline.now()
        let before = awaited.count
        awaited.removeAll { now - $0.committedAt > Self.limit }
        unseen += before - awaited.count
        guard let last = awaited.last else { return }
        // Where many are awaited, the cache is behind: asking must not hold it up further.
        let age = TimeAmount.nanoseconds((now - last.committedAt).nanoseconds / Self.precision)
        let interval = max(Self.interval, min(age, .milliseconds(50))) * max(1, awaited.count / 4)
        nextPoll = eventLoop.assumeIsolated().scheduleTask(in: interval) { self.poll() }
    }
}

/// A row as a committed transaction left it, under its key in caches.
struct CommittedRow: Sendable {
    /// `cfg:{<tenant>}:<type>:<key>`
    let key: String
    let columns: [String]
    /// Nil: the row was deleted.
    let row: [String?]?
    /// The columns that the statement set.
    let changed: [String]

    /// Whether the row now is certainly another than before: it is new, or something unlikely to come twice was set.
    var isDistinct: Bool {
        row != nil && (changed == columns || changed.contains("user_properties") || changed.contains("first_name"))
    }

    func values(of wanted: [String]) -> [String?] {
        wanted.map { name in
            guard let row, let index = columns.firstIndex(of: name) else { return nil }
            return row[index]
        }
    }
}
