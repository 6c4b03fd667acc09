import Journal
import NIOCore
import RESP
import RedisClient

/// Reads copies of journals in a peer's Redis as they grow, with a blocked `XREAD`, and tells of every entry when it came.
///
/// It lives on one event loop.
final class CopyTail {
    /// Streams one read waits on; Redis pays for each of them at every wake (journal.md).
    static let streamsPerRead = 50
    private static let blockTime = Duration.seconds(1)

    private let eventLoop: any EventLoop
    private let journals: [VoiceWriter.Journal]
    private let places: [String: Int]
    private let keys: BulkStrings
    private var cursors: [String]
    /// Told of every entry: place of the journal, ID, when it came.
    private let received: (Int, EntryID, NIODeadline) -> Void

    /// Reads behind `cursors`, one for each journal.
    init(
        _ journals: [VoiceWriter.Journal], behind cursors: [EntryID], eventLoop: any EventLoop,
        received: @escaping (Int, EntryID, NIODeadline) -> Void
    ) {
        self.journals = journals
        self.cursors = cursors.map(\.description)
        self.eventLoop = eventLoop
        self.received = received
        places = Dictionary(zip(journals.map(\.key), journals.indices), uniquingKeysWith: { $1 })
        keys = BulkStrings(journals.map(\.key))
    }

    /// Follows the copies on this connection. The result succeeds when that cannot go on.
    func follow(_ connection: RedisConnection) -> EventLoopFuture<Void> {
        let done = eventLoop.makePromise(of: Void.self)
        read(connection, done)
        return done.futureResult
    }

    private func read(_ connection: RedisConnection, _ done: EventLoopPromise<Void>) {
        let command = RedisCommand(
            ["XREAD", "COUNT", "1000", "BLOCK", "\(Self.blockTime.microseconds / 1000)", "STREAMS"], keys,
            BulkStrings(cursors))
        connection.send(command.blocking(for: Self.blockTime)).assumeIsolated().whenComplete { result in
            guard case .success(let reply) = result else { return done.succeed() }
            self.take(reply, at: .now())
            self.read(connection, done)
        }
    }

    private func take(_ reply: RedisReply, at time: NIODeadline) {
        for stream in reply.elements {
            guard let name = stream[0]?.string, let place = places[name], let entries = stream[1] else { continue }
            var last: EntryID?
            for entry in entries.elements {
                guard let bytes = entry[0]?.bytes, let id = EntryID(ascii: bytes.readableBytesView) else { continue }
                received(journals[place].index, id, time)
                last = id
            }
            if let last { cursors[place] = last.description }
        }
    }
}
