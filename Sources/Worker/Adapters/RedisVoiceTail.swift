package import Journal
package import Logging
package import NIOCore
internal import Observability
package import Projection
internal import RESP
package import RedisClient
internal import Synchronization
package import VoiceListener

/// A connection through which the voice port's feed reads journals.
///
/// Who reads on the connection's event loop does so without a hop: the command leaves within `send`, and its answer is looked
/// at where it came in. A read that waits is ended with `CLIENT UNBLOCK`, through the connection of `client`.
///
/// With the first read of a journal, and the first behind one that was lost, its floor is asked for: a trim may have overtaken
/// who reads on behind an absence of Redis.
package final class RedisVoiceTail: VoiceTail {
    private struct State {
        var connection: RedisConnection
        /// Entries of one journal that one read gives at most; begins with caution.
        var count = 64
        /// Reads that have begun; one is on its way while `isReading`.
        var reads = 0
        var isReading = false
        var isInterrupted = false
        /// Whether the server was seen not to let reads be ended.
        var isRefused = false
        var isClosed = false
        /// Journals of the last read: what the next one finds of them follows that.
        var followed: Set<JournalName> = []
    }

    private let endpoint: RedisEndpoint
    private let name: String
    private let eventLoop: any EventLoop
    private let client: RedisClient
    private let logger: Logger
    private let state: Mutex<State>

    private static let entriesPerRead = 512
    /// Bytes that a read should bring at most, and those that it may.
    private static let wantedBytes = 4 << 20
    private static let replyBytes = 64 << 20
    /// Between one try to end a read and the next.
    private static let longestPause = Duration.milliseconds(100)

    private init(
        _ connection: RedisConnection, endpoint: RedisEndpoint, name: String, eventLoop: any EventLoop,
        client: RedisClient, logger: Logger
    ) {
        self.endpoint = endpoint
        self.name = name
        self.eventLoop = eventLoop
        self.client = client
        self.logger = logger
        state = Mutex(State(connection: connection))
    }

    /// Opens a connection. `logger` is told, once, where the server does not let reads be ended.
    package static func open(
        endpoint: RedisEndpoint, name: String, eventLoop: any EventLoop, client: RedisClient, logger: Logger
    ) async throws(StoreFailure) -> RedisVoiceTail {
        var endpoint = endpoint
        endpoint.replyBytes = replyBytes
        let connection = try await connect(to: endpoint, name, on: eventLoop)
        return RedisVoiceTail(
            connection, endpoint: endpoint, name: name, eventLoop: eventLoop, client: client, logger: logger)
    }

    package func send(behind cursors: [JournalCursor], waits: Bool) -> SentRead {
        let (connection, command, joined) = state.withLock { state in
            let blockTime = waits && !state.isInterrupted ? SentRead.patience : nil
            state.isInterrupted = false
            state.reads += 1
            state.isReading = true
            let joined = cursors.filter { !state.followed.contains($0.journal) }
            return (state.connection, StreamReads.command(cursors, count: state.count, blockTime: blockTime), joined)
        }
        let answer: EventLoopFuture<RedisReply> = connection.send(command)
        // Behind the read: whatever was trimmed before it is below these.
        let floors = joined.map { cursor -> EventLoopFuture<RedisReply> in
            connection.send(RedisCommand("HMGET", cursor.journal.metaKey, "floor"))
        }
        connection.flush()
        return SentRead { () async throws(StoreFailure) -> [JournalRead] in
            try await self.reads(in: answer, of: cursors, above: Array(zip(joined, floors)))
        }
    }

    package func interrupt() async {
        let read = state.withLock { state in
            state.isInterrupted = !state.isReading
            return state.reads
        }
        var pause = Duration.milliseconds(1)
        while let id = connectionID(of: read), !Task.isCancelled {
            do throws(RedisError) {
                // Without 1 the command has not got there yet, or is answered already.
                if try await unblock(id) == 1 { return }
            } catch {
                // It ends when it has waited for long enough. Who is busy with a script says so of everything.
                if case .server(let code, _) = error, code != "BUSY" { return refused(error) }
            }
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    package func close() {
        let connection = state.withLock { state in
            state.isClosed = true
            return state.connection
        }
        connection.closeSoon()
    }
}

extension RedisVoiceTail {
    private func reads(
        in answer: EventLoopFuture<RedisReply>, of cursors: [JournalCursor],
        above floors: [(JournalCursor, EventLoopFuture<RedisReply>)]
    ) async throws(StoreFailure) -> [JournalRead] {
        let result = await Self.result(of: answer)
        state.withLock { $0.isReading = false }
        do {
            let found = try StreamReads.batches(in: try result.get(), of: cursors)
            let trimmed = try await Self.trimmed(of: floors)
            // Where nothing was found there is nothing that does not follow.
            for journal in trimmed where found.contains(where: { $0.journal == journal }) {
                throw RedisError.server(code: "STALE", message: "\(journal) was trimmed beyond where it is read")
            }
            state.withLock { state in
                guard !floors.isEmpty || state.followed.count != cursors.count else { return }
                state.followed = Set(cursors.map(\.journal)).subtracting(trimmed)
            }
            fit(found)
            return found
        } catch {
            // The answer may have been too large. Who made a new tail of that would begin with as many entries again.
            guard case RedisError.tooLarge = error, readsLess() else { throw StoreFailure(error) }
            try await reopen()
            return []
        }
    }

    private static func result(of answer: EventLoopFuture<RedisReply>) async -> Result<RedisReply, any Error> {
        await withCheckedContinuation { continuation in
            answer.whenComplete { continuation.resume(returning: $0) }
        }
    }

    /// The journals that were trimmed beyond their cursors. A look tells by how much.
    private static func trimmed(
        of floors: [(JournalCursor, EventLoopFuture<RedisReply>)]
    ) async throws -> [JournalName] {
        var trimmed: [JournalName] = []
        for (cursor, answer) in floors {
            let floor = try await result(of: answer).get()[0]?.entryID ?? .zero
            if floor > cursor.last { trimmed.append(cursor.journal) }
        }
        return trimmed
    }

    private func unblock(_ id: Int64) async throws(RedisError) -> Int64? {
        guard case .connected(let other) = await client.state else { return nil }
        let answer: RedisReply = try await other.send(RedisCommand("CLIENT", "UNBLOCK", "\(id)"))
        return answer.integer
    }

    private func refused(_ error: RedisError) {
        let isKnown = state.withLock { state in
            defer { state.isRefused = true }
            return state.isRefused
        }
        guard !isKnown else { return }
        logger.warning("Redis does not end reads that wait: journals are followed late", [.reason: "\(error)"])
    }

    /// The number of the connection on which a read is on its way; nil: it is answered.
    private func connectionID(of read: Int) -> Int64? {
        state.withLock { $0.isReading && $0.reads == read ? $0.connection.clientID : nil }
    }

    /// Sizes the next read by the largest entries of this one, on average a journal.
    private func fit(_ found: [JournalRead]) {
        guard let bytes = found.map({ $0.batch.byteCount / max($0.batch.count, 1) }).max() else { return }
        let count = min(Self.entriesPerRead, max(1, Self.wantedBytes / max(bytes, 1) / max(found.count, 1)))
        state.withLock { $0.count = count }
    }

    /// Has the next read bring less; false where it brings the least already.
    private func readsLess() -> Bool {
        state.withLock { state in
            guard state.count > 1 else { return false }
            state.count = max(1, state.count / 16)
            return true
        }
    }

    /// Opens a connection in place of the one that was lost.
    private func reopen() async throws(StoreFailure) {
        let new = try await Self.connect(to: endpoint, name, on: eventLoop)
        let isClosed = state.withLock { state in
            state.connection = new
            state.followed = []
            return state.isClosed
        }
        if isClosed { new.closeSoon() }
    }

    private static func connect(
        to endpoint: RedisEndpoint, _ name: String, on eventLoop: any EventLoop
    ) async throws(StoreFailure) -> RedisConnection {
        do throws(RedisError) {
            return try await RedisConnection.connect(to: endpoint, name: "regionsync-\(name)", on: eventLoop)
        } catch {
            throw StoreFailure(error)
        }
    }
}
