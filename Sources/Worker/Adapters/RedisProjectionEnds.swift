internal import Journal
internal import NIOCore
package import Projection
package import RESP
package import RedisClient

/// The local Redis as the place where the projection keeps its state: one connection, kept by `client`.
package struct RedisProjectionStore: ProjectionStore {
    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    /// How long a connection is waited for. Who is told after that says so, and asks again.
    private static let patience = Duration.seconds(1)

    package func send(_ commands: [RedisCommand]) async -> SentCommands {
        guard let connection = try? await client.connection(within: Self.patience) else {
            return SentCommands { commands.map { _ in .failure(.unreachable("there is no connection")) } }
        }
        return connection.sent(commands)
    }
}

/// The local Redis for listeners, whose clients are not kept waiting until it is back: without a connection, commands fail.
/// One whose answer is too large fails with the code `LIMIT`, as a refusal does: that is the trouble of who asked, although it
/// ends the connection.
package struct PromptRedisStore: ProjectionStore {
    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    package func send(_ commands: [RedisCommand]) async -> SentCommands {
        switch await client.state {
        case .connected(let connection):
            connection.sent(commands) { error in
                guard case RedisError.tooLarge = error else { return StoreFailure(error) }
                return .server(code: "LIMIT", message: "this is more than the region's Redis is asked for at once")
            }
        case .connecting, .waiting, .stopped:
            SentCommands { commands.map { _ in .failure(.unsent("there is no connection")) } }
        }
    }
}

extension RedisConnection {
    /// Sends commands together. On their way before this returns, so that what is sent next comes behind them.
    func sent(
        _ commands: [RedisCommand], sorting: @escaping @Sendable (any Error) -> StoreFailure = { StoreFailure($0) }
    ) -> SentCommands {
        let promise = eventLoop.makePromise(of: [Result<RedisReply, any Error>].self)
        eventLoop.execute { [self] in
            let replies = commands.map { send($0) as EventLoopFuture<RedisReply> }
            EventLoopFuture.whenAllComplete(replies, on: eventLoop).cascade(to: promise)
        }
        let replies = promise.futureResult
        return SentCommands {
            do {
                return try await replies.get().map { result in
                    result.map { StoreReply($0) }.mapError(sorting)
                }
            } catch {
                return commands.map { _ in .failure(sorting(error)) }
            }
        }
    }
}

/// A connection through which the projection reads journals; opened when it is needed, and again when it was lost.
actor RedisProjectionTail: JournalTail {
    private var endpoint: RedisEndpoint
    private let name: String
    private let eventLoop: any EventLoop
    /// Entries of one journal that one read gives at most.
    private let entriesPerRead: Int
    /// The same as the size of entries allows; begins with caution.
    private var count: Int
    private var connection: RedisConnection?

    /// Bytes that a read should bring at most, and those that it may.
    private static let wantedBytes = 16 << 20
    private static let replyBytes = 64 << 20

    init(endpoint: RedisEndpoint, name: String, eventLoop: any EventLoop, entriesPerRead: Int) {
        self.endpoint = endpoint
        self.endpoint.replyBytes = Self.replyBytes
        self.name = name
        self.eventLoop = eventLoop
        self.entriesPerRead = entriesPerRead
        count = min(entriesPerRead, 64)
    }

    func read(behind cursors: [JournalCursor], patience: Duration) async throws(StoreFailure) -> [JournalRead] {
        guard !cursors.isEmpty else {
            if patience > .zero { try? await Task.sleep(for: patience) }
            return []
        }
        let command = StreamReads.command(cursors, count: count, blockTime: patience > .zero ? patience : nil)
        do {
            let reply = try await send(command, blocks: patience > .zero)
            let reads = try StreamReads.batches(in: reply, of: cursors)
            fit(reads, streams: cursors.count)
            return reads
        } catch {
            // Its answer may have been too large.
            if case RedisError.tooLarge = error { count = max(1, count / 16) }
            throw StoreFailure(error)
        }
    }

    /// Sizes the next read by the largest entries of this one, on average a journal.
    private func fit(_ reads: [JournalRead], streams: Int) {
        guard let bytes = reads.map({ $0.batch.byteCount / max($0.batch.count, 1) }).max() else { return }
        count = min(entriesPerRead, max(1, Self.wantedBytes / max(bytes, 1) / max(streams, 1)))
    }

    func close() async {
        await connection?.close()
        connection = nil
    }

    private func send(_ command: RedisCommand, blocks: Bool) async throws(RedisError) -> RedisReply {
        let open = try await opened()
        // Others may read at the same time, whose connection must not end with one reader's task.
        guard blocks else { return try await open.send(command) }
        // A read that blocks would keep a stopping worker waiting.
        let result: Result<RedisReply, RedisError> = await withTaskCancellationHandler {
            do throws(RedisError) {
                return .success(try await open.send(command))
            } catch {
                return .failure(error)
            }
        } onCancel: {
            open.closeSoon()
        }
        return try result.get()
    }

    /// The connection there is, or a new one; one of those that were opened at the same time.
    private func opened() async throws(RedisError) -> RedisConnection {
        if let connection, connection.isOpen { return connection }
        let new = try await RedisConnection.connect(to: endpoint, name: "regionsync-\(name)", on: eventLoop)
        if let connection, connection.isOpen {
            new.closeSoon()
            return connection
        }
        connection = new
        return new
    }
}

extension StoreReply {
    /// The reply in the projection's own terms; its strings share the reply's memory.
    package init(_ reply: RedisReply) {
        switch reply.kind {
        case .array: self = .array(reply.elements.map { StoreReply($0) })
        case .integer: self = .integer(reply.integer ?? 0)
        case .null, .error: self = .null
        case .string, .status: self = .string(reply.bytes ?? ByteBuffer())
        }
    }
}

extension StoreFailure {
    /// Sorts what a connection reports.
    package init(_ error: any Error) {
        switch error {
        case RedisError.server(let code, let message): self = .server(code: code, message: message)
        default: self = .unreachable("\(error)")
        }
    }
}
