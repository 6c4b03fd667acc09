package import Journal
package import NIOCore
package import Projection
internal import RESP
package import RedisClient
internal import VoiceListener

/// A connection through which the voice port's feed reads journals; opened when it is needed, and again when it was lost.
///
/// A read that waits is ended with `CLIENT UNBLOCK`, through the connection of `client`.
package actor RedisVoiceTail: VoiceTail {
    private var endpoint: RedisEndpoint
    private let name: String
    private let eventLoop: any EventLoop
    private let client: RedisClient
    private var connection: RedisConnection?
    /// Entries of one journal that one read gives at most; begins with caution.
    private var count = 64
    /// Reads that have begun; one is on its way while `isReading`.
    private var reads = 0
    private var isReading = false
    private var isInterrupted = false

    private static let entriesPerRead = 512
    /// Bytes that a read should bring at most, and those that it may.
    private static let wantedBytes = 4 << 20
    private static let replyBytes = 64 << 20
    /// How long a read waits: so long a server that is half dead may pass for one where nothing happens.
    private static let patience = Duration.seconds(2)

    package init(endpoint: RedisEndpoint, name: String, eventLoop: any EventLoop, client: RedisClient) {
        self.endpoint = endpoint
        self.endpoint.replyBytes = Self.replyBytes
        self.name = name
        self.eventLoop = eventLoop
        self.client = client
    }

    package func read(behind cursors: [JournalCursor], waits: Bool) async throws(StoreFailure) -> [JournalRead] {
        guard !cursors.isEmpty else { return [] }
        let waits = waits && !isInterrupted
        isInterrupted = false
        reads += 1
        isReading = true
        defer { isReading = false }
        let command = StreamReads.command(cursors, count: count, blockTime: waits ? Self.patience : nil)
        do {
            let found = try StreamReads.batches(in: try await send(command), of: cursors)
            fit(found)
            return found
        } catch {
            // Its answer may have been too large. Who made a new tail of a failure would begin with as many entries again.
            if case RedisError.protocolViolation = error, count > 1 {
                count = max(1, count / 16)
                await close()
                return []
            }
            throw StoreFailure(error)
        }
    }

    package func interrupt() async {
        isInterrupted = !isReading
        let read = reads
        while isReading, reads == read, !Task.isCancelled {
            if let id = connection?.clientID, case .connected(let other) = await client.state {
                let answer = try? await other.send(RedisCommand("CLIENT", "UNBLOCK", "\(id)")) as RedisReply
                // Without it the command has not got there yet, or is answered already.
                if answer?.integer == 1 { return }
            }
            try? await Task.sleep(for: .milliseconds(1))
        }
    }

    package func close() async {
        await connection?.close()
        connection = nil
    }

    /// Sizes the next read by the largest entries of this one, on average a journal.
    private func fit(_ found: [JournalRead]) {
        guard let bytes = found.map({ $0.batch.byteCount / max($0.batch.count, 1) }).max() else { return }
        count = min(Self.entriesPerRead, max(1, Self.wantedBytes / max(bytes, 1) / max(found.count, 1)))
    }

    private func send(_ command: RedisCommand) async throws(RedisError) -> RedisReply {
        let open: RedisConnection
        if let connection, connection.isOpen {
            open = connection
        } else {
            open = try await RedisConnection.connect(to: endpoint, name: "regionsync-\(name)", on: eventLoop)
            connection = open
        }
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
}
