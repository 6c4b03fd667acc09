package import Capture
package import Journal
package import NIOCore
internal import RESP
package import RedisClient
internal import Synchronization

/// This region's provisioning journal as capture writes it: one connection of its own to the region's Redis, made when
/// the journal is opened and made again when it is opened after a loss.
package final class RedisCaptureJournal: CaptureJournal {
    private let endpoint: RedisEndpoint
    private let journal: JournalName
    private let eventLoop: any EventLoop
    private let connection = Mutex<RedisConnection?>(nil)

    /// The journal of `region` at `endpoint`, on `eventLoop`.
    package init(region: String, endpoint: RedisEndpoint, eventLoop: any EventLoop) {
        journal = .provisioning(origin: region)
        self.endpoint = endpoint
        self.eventLoop = eventLoop
    }

    package func open() async throws(Refusal) -> JournalState {
        do {
            let connection = try await connected()
            // A full resync of a replica wipes functions; loading takes well under a millisecond.
            _ = try await connection.send(JournalFunctions.library.loadCommand)
            let reply: RedisReply = try await connection.send(JournalFunctions.open(journal, birth: Self.freshBirth()))
            return try Self.state(reply)
        } catch {
            throw Refusal(error)
        }
    }

    package func append(
        _ batch: CaptureBatch, birth: String, completion: @escaping @Sendable (Result<Void, Refusal>) -> Void
    ) {
        guard let connection = connection.withLock({ $0 }) else {
            return completion(.failure(.unavailable("no connection")))
        }
        let command: RedisCommand
        if let entries = batch.entries {
            command = JournalFunctions.append(entries, to: journal, birth: birth, position: batch.position)
        } else if let position = batch.position {
            command = JournalFunctions.move(position, of: journal, birth: birth, last: batch.last)
        } else {
            return completion(.success(()))
        }
        let reply: EventLoopFuture<RedisReply> = connection.send(command)
        reply.whenComplete { result in
            completion(result.map { _ in }.mapError { Refusal($0) })
        }
    }

    package func settlingTime() async throws(Refusal) -> Duration {
        do {
            let reply: RedisReply = try await connected().send(RedisCommand("CONFIG", "GET", "append*"))
            let words = reply.elements.map { $0.string ?? "" }
            let settings = Dictionary(
                uniqueKeysWithValues: stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) })
            return settings["appendonly"] == "yes" && settings["appendfsync"] == "always" ? .zero : .seconds(2)
        } catch RedisError.server {
            return .seconds(2)  // not allowed to ask
        } catch {
            throw Refusal(error)
        }
    }

    /// Ends the connection.
    package func close() async {
        await connection.withLock { $0 }?.close()
    }

    private func connected() async throws -> RedisConnection {
        if let connection = connection.withLock({ $0 }), connection.isOpen { return connection }
        let new = try await RedisConnection.connect(to: endpoint, name: "regionsync-capture", on: eventLoop)
        connection.withLock { $0 = new }
        return new
    }

    private static func state(_ reply: RedisReply) throws -> JournalState {
        let parts = Array(reply.elements)
        guard parts.count == 7, let last = parts[1].string.flatMap({ EntryID($0) }),
            let generated = parts[6].string.flatMap({ EntryID($0) }), let birth = parts[0].string
        else { throw Refusal.forked }  // a stream without meta: somebody else made it
        guard parts[4].isNull else { throw Refusal.fenced }
        guard generated == last else { throw Refusal.forked }
        return JournalState(birth: birth, last: last, position: parts[5].string.flatMap { Position($0) })
    }

    /// A mark never drawn before.
    private static func freshBirth() -> String {
        String(UInt64.random(in: .min ... .max), radix: 16) + String(UInt64.random(in: .min ... .max), radix: 16)
    }
}
