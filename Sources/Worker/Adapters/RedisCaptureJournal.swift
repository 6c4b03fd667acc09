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
    let journal: JournalName
    /// The Redis of each peer.
    let peers: [RedisEndpoint]
    let eventLoop: any EventLoop
    private let connection = Mutex<RedisConnection?>(nil)
    /// This run of capture, by a word that no other process has.
    let run: String

    /// The journal of `region` at `endpoint`, on `eventLoop`. `peers` are asked before the region takes up its role again
    /// after it stopped uncleanly; `run` is this run's word, a new one unless given.
    package init(
        region: String, endpoint: RedisEndpoint, peers: [RedisEndpoint] = [], run: String? = nil,
        eventLoop: any EventLoop
    ) {
        journal = .provisioning(origin: region)
        self.run = run ?? Self.freshBirth()
        self.endpoint = endpoint
        self.peers = peers
        self.eventLoop = eventLoop
    }

    package func open() async throws(Refusal) -> JournalState {
        let connection: RedisConnection
        do { connection = try await connected() } catch { throw Refusal(error) }
        let found = try await found(through: connection)
        guard found.last == found.generated else { throw .forked }
        return JournalState(birth: found.birth, last: found.last, position: found.position, shown: found.shown)
    }

    package func acceptForeign() async throws(Refusal) -> ForeignEntries? {
        let connection: RedisConnection
        do { connection = try await connected() } catch { throw Refusal(error) }
        let found = try await found(through: connection)
        guard found.generated > found.last else { return nil }
        let isOpen = Position(number: found.last.first) > found.position ?? .zero
        let accepted: RedisReply
        do {
            accepted = try await connection.send(
                JournalFunctions.accept(journal, birth: found.birth, last: found.last, isOpen: isOpen))
        } catch {
            throw Self.refusal(error, on: connection)
        }
        guard let count = accepted[0]?.integer, let first = accepted[1]?.entryID else {
            throw .unexpected("rsj3_accept answered \(accepted)")
        }
        return ForeignEntries(count: Int(count), first: first)
    }

    private func found(through connection: RedisConnection) async throws(Refusal) -> Found {
        let reply: RedisReply
        do {
            reply = try await connection.send(JournalFunctions.open(journal, birth: Self.freshBirth()))
        } catch {
            throw Self.refusal(error, on: connection)
        }
        return try Self.found(in: reply)
    }

    package func note(shown: String, birth: String) async throws(Refusal) {
        do {
            let connection = try await connected()
            let _: RedisReply = try await connection.send(
                JournalFunctions.note(shown: shown, of: journal, birth: birth))
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
        let answer: EventLoopFuture<RedisReply>
        if let entries = batch.entries {
            answer = append(entries, birth: birth, position: batch.position, on: connection)
        } else if let position = batch.position {
            answer = connection.send(JournalFunctions.move(position, of: journal, birth: birth, last: batch.last))
        } else {
            return completion(.success(()))
        }
        answer.whenComplete { result in
            completion(result.map { _ in }.mapError { Self.refusal($0, on: connection) })
        }
    }

    private func append(
        _ entries: EntryBatch, birth: String, position: Position?, on connection: RedisConnection
    ) -> EventLoopFuture<RedisReply> {
        guard entries.count >= AppendTransaction.worthwhile || entries.shape.isWide else {
            return connection.send(JournalFunctions.append(entries, to: journal, birth: birth, position: position))
        }
        do throws(EntryBatch.Malformed) {
            let transaction = try AppendTransaction.append(entries, to: journal, birth: birth, position: position)
            return connection.send(transaction).flatMapThrowing { reply in
                guard let last = reply[reply.count - 1] else { throw Refusal.unexpected("EXEC answered \(reply)") }
                if let error = last.error { throw error }
                return last
            }
        } catch {
            return connection.eventLoop.makeFailedFuture(Refusal.unexpected("\(error)"))
        }
    }

    package func newestHistory() async -> UInt64? {
        await openConnection?.newestHistory(about: journal.origin).map { max($0.known, $0.reserved) }
    }

    package func settlingTime() async throws(Refusal) -> Duration {
        do {
            let reply: RedisReply = try await connected().send(RedisCommand("CONFIG", "GET", "append*"))
            let words = reply.elements.map { $0.string ?? "" }
            let settings = Dictionary(
                stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) },
                uniquingKeysWith: { first, _ in first })
            return settings["appendonly"] == "yes" && settings["appendfsync"] == "always" ? .zero : .seconds(2)
        } catch RedisError.server {
            return .seconds(2)  // not allowed to ask
        } catch {
            throw Refusal(error)
        }
    }

    /// Ends the connection.
    package func close() async {
        await openConnection?.close()
    }

    /// The connection, while there is one.
    var openConnection: RedisConnection? {
        connection.withLock { $0 }.flatMap { $0.isOpen ? $0 : nil }
    }

    func connected() async throws(RedisError) -> RedisConnection {
        if let openConnection { return openConnection }
        let new = try await RedisConnection.connect(to: endpoint, name: "regionsync-capture", on: eventLoop)
        do throws(RedisError) {
            try await new.load(JournalFunctions.library)
            try await new.requireTransactions()
        } catch {
            new.closeSoon()
            throw error
        }
        connection.withLock { $0 = new }
        return new
    }

    /// What a failure means; the connection ends where only a new one helps: a server that is no primary, so that the
    /// name is resolved anew, and one whose functions a resync has wiped, so that they are loaded again.
    private static func refusal(_ error: any Error, on connection: RedisConnection) -> Refusal {
        switch error {
        case RedisError.server(let code, _) where Refusal.elsewhereCodes.contains(code):
            connection.closeSoon()
        case RedisError.server("ERR", let message) where message.hasPrefix("Function not found"):
            connection.closeSoon()
        default: break
        }
        return Refusal(error)
    }

    /// A journal by its own word.
    private struct Found {
        let birth: String
        /// Where it ends by its meta.
        let last: EntryID
        /// Where its stream ends.
        let generated: EntryID
        let position: Position?
        let shown: String?
    }

    /// A mirror that came first, to an empty journal, has left a meta without `last`.
    private static func found(in reply: RedisReply) throws(Refusal) -> Found {
        let parts = Array(reply.elements)
        guard parts.count == 12, let generated = parts[6].isNull ? .zero : parts[6].entryID, let birth = parts[0].string
        else { throw .forked }  // a stream without meta: somebody else made it
        guard parts[4].isNull else { throw .fenced }
        guard let last = parts[1].isNull ? .zero : parts[1].entryID, last <= generated else { throw .forked }
        return Found(
            birth: birth, last: last, generated: generated, position: parts[5].string.flatMap { Position($0) },
            shown: parts[11].string)
    }

    /// A mark never drawn before.
    static func freshBirth() -> String {
        String(UInt64.random(in: .min ... .max), radix: 16) + String(UInt64.random(in: .min ... .max), radix: 16)
    }
}
