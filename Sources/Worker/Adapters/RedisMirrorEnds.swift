package import Journal
package import Mirror
package import NIOCore
internal import RESP
package import RedisClient

/// The two ends of a mirror link as Redis connections, all on the link's event loop.
package struct RedisMirrorConnector: MirrorConnector {
    let region: String
    let local: RedisEndpoint
    let remote: RedisEndpoint
    let eventLoop: any EventLoop

    /// Connections from `region` with its own Redis, `local`, to a peer's, `remote`.
    package init(region: String, local: RedisEndpoint, remote: RedisEndpoint, eventLoop: any EventLoop) {
        self.region = region
        self.local = local
        self.remote = remote
        self.eventLoop = eventLoop
    }

    package func source() async throws(Refusal) -> any MirrorSource {
        RedisMirrorSource(
            connection: try await open(local, name: "mirror-source", loading: JournalFunctions.library),
            connector: self)
    }

    package func target() async throws(Refusal) -> any MirrorTarget {
        let connection = try await open(remote, name: "mirror-\(region)", loading: JournalFunctions.library)
        do {
            let info = try await ServerInfo.ask(connection)
            guard info.mayEvict else { return RedisMirrorTarget(connection: connection) }
            throw Refusal.unavailable(
                "\(remote) may evict journals (maxmemory-policy \(info.evictionPolicy)): \(ServerInfo.evictionAdvice)")
        } catch {
            connection.closeSoon()
            throw Refusal(error)
        }
    }

    func open(
        _ endpoint: RedisEndpoint, name: String, loading library: FunctionLibrary? = nil
    ) async throws(Refusal) -> RedisConnection {
        do {
            let connection = try await RedisConnection.connect(to: endpoint, name: "regionsync-\(name)", on: eventLoop)
            guard let library else { return connection }
            do {
                _ = try await connection.send(library.loadCommand)
            } catch {
                connection.closeSoon()
                throw error
            }
            return connection
        } catch {
            throw Refusal(error)
        }
    }
}

/// The local Redis as a link's source: one connection for questions, one a reader.
struct RedisMirrorSource: MirrorSource {
    let connection: RedisConnection
    let connector: RedisMirrorConnector

    /// What a journal without birth mark gets; never the same twice.
    private var freshBirth: String { "\(connector.region)-\(String(UInt64.random(in: .min ... .max), radix: 16))" }

    init(connection: RedisConnection, connector: RedisMirrorConnector) {
        self.connection = connection
        self.connector = connector
    }

    var closed: EventLoopFuture<Void> { connection.closeFuture.map { _ in } }

    func close() { connection.closeSoon() }

    func reader(named name: String) async throws(Refusal) -> any JournalReader {
        RedisJournalReader(
            connection: try await connector.open(connector.local, name: "reader-\(name)"), region: connector.region)
    }

    func lineage(of journal: JournalName, cursor: EntryID) -> EventLoopFuture<SourceState> {
        let command = JournalFunctions.lineage(journal, birth: freshBirth, cursor: cursor)
        return connection.send(command).refusing().flatMapThrowing { reply in
            let parts = Array(reply.elements)
            guard parts.count == 7, let birth = parts[0].string, let floor = parts[1].entryID,
                let generated = parts[3].entryID
            else { throw Refusal.unexpected("lineage of \(journal): \(reply)") }
            return SourceState(
                birth: birth, floor: floor, generated: generated, holdsCursor: parts[6].integer == 1,
                isClosed: !parts[2].isNull)
        }
    }

    func births(of journals: [JournalName]) -> EventLoopFuture<[String?]> {
        let replies = journals.map { connection.send(RedisCommand("HGET", $0.metaKey, "birth")).refusing() }
        return EventLoopFuture.whenAllSucceed(replies, on: connection.eventLoop).map { $0.map(\.string) }
    }

    func entriesAdded(to journals: [JournalName]) -> EventLoopFuture<[UInt64?]> {
        let replies = journals.map { journal in
            connection.send(RedisCommand("XINFO", "STREAM", journal.key)).refusing().map { reply -> UInt64? in
                let parts = Array(reply.elements)
                guard let index = parts.firstIndex(where: { $0.string == "entries-added" }) else { return nil }
                return parts[index + 1].integer.flatMap { UInt64(exactly: $0) }
            }.flatMapErrorThrowing { error in
                if case Refusal.unexpected = error { return nil }  // ERR no such key
                throw error
            }
        }
        return EventLoopFuture.whenAllSucceed(replies, on: connection.eventLoop)
    }

    func identity() -> EventLoopFuture<ServerIdentity> {
        connection.send(RedisCommand("INFO", "server", "replication")).refusing().map { reply in
            let fields = ServerInfo(reply)
            return ServerIdentity(runID: fields["run_id"] ?? "", replicationID: fields["master_replid"] ?? "")
        }
    }

    func probe(_ journal: JournalName, peer: String) -> EventLoopFuture<EntryID> {
        connection.send(RedisCommand("XADD", journal.key, "*", "event", "probe", "key", peer)).refusing()
            .flatMapThrowing { reply in
                guard let id = reply.entryID else { throw Refusal.unexpected("XADD answered \(reply)") }
                return id
            }
    }

    func interrupt(_ reader: any JournalReader) {
        guard let reader = reader as? RedisJournalReader else { return }
        _ = connection.send(RedisCommand("CLIENT", "UNBLOCK", String(reader.connection.clientID)))
    }
}

/// A connection that a group of journals is read through.
struct RedisJournalReader: JournalReader {
    let connection: RedisConnection
    let region: String

    func read(_ cursors: [JournalCursor], count: Int, blockTime: Duration) -> EventLoopFuture<MarkedReads> {
        let asked = cursors.map { (journal: $0.journal, after: $0.after) }
        let read = connection.send(StreamReads.command(asked, count: count, blockTime: blockTime)).refusing()
        // Answered behind the read: a server flushed before the read has no mark or another one.
        let metaKey = JournalName.control(origin: region).metaKey
        let mark = connection.send(
            RedisCommand("HGET", metaKey, "birth"), deadline: blockTime + connection.endpoint.responseTimeout
        ).refusing()
        return read.and(mark).flatMapThrowing { reply, mark in
            MarkedReads(
                reads: try StreamReads.batches(in: reply, of: asked).map {
                    JournalRead(journal: $0.journal, batch: $0.batch)
                }, mark: mark.string)
        }
    }

    func close() { connection.closeSoon() }
}

/// A peer's Redis as a link's target.
struct RedisMirrorTarget: MirrorTarget {
    let connection: RedisConnection

    var closed: EventLoopFuture<Void> { connection.closeFuture.map { _ in } }

    func close() { connection.closeSoon() }

    func open(_ journal: JournalName, birth: String) -> EventLoopFuture<CopyState> {
        connection.send(JournalFunctions.open(journal, birth: birth)).refusing().flatMapThrowing { reply in
            let parts = Array(reply.elements)
            guard parts.count == 7, let generated = parts[6].entryID else {
                throw Refusal.unexpected("open of \(journal): \(reply)")
            }
            return CopyState(
                birth: parts[0].string, last: parts[1].entryID ?? .zero,
                count: parts[2].string.flatMap { UInt64($0) } ?? 0, generated: generated, isClosed: !parts[4].isNull)
        }
    }

    func append(_ batch: EntryBatch, to journal: JournalName, birth: String) -> EventLoopFuture<EntryID> {
        guard batch.count < AppendTransaction.worthwhile, !batch.shape.isWide else {
            return transact(batch, journal, birth: birth)
        }
        return connection.send(JournalFunctions.append(batch, to: journal, birth: birth)).flatMapThrowing { reply in
            guard let id = reply.entryID else { throw Refusal.unexpected("append answered \(reply)") }
            return id
        }.flatMapErrorThrowing { error in
            let refusal = Refusal(error)
            // The library is loaded when a connection opens: begin again with a new one.
            if case .unavailable(let reason) = refusal, reason.hasPrefix("ERR Function") { connection.closeSoon() }
            throw refusal
        }
    }

    private func transact(_ batch: EntryBatch, _ journal: JournalName, birth: String) -> EventLoopFuture<EntryID> {
        do throws(EntryBatch.Malformed) {
            let transaction = try AppendTransaction.append(batch, to: journal, birth: birth)
            return connection.send(transaction).refusing().flatMapThrowing { reply in
                guard let last = reply[reply.count - 1] else { throw Refusal.unexpected("EXEC answered \(reply)") }
                if let error = last.error { throw Refusal(error) }
                guard let id = last.entryID else { throw Refusal.unexpected("append answered \(last)") }
                return id
            }
        } catch {
            return connection.eventLoop.makeFailedFuture(Refusal.unexpected("\(error)"))
        }
    }
}

extension RedisReply {
    /// The ID in a string reply; nil for anything else.
    var entryID: EntryID? { bytes.flatMap { EntryID(ascii: $0.readableBytesView) } }
}

extension EventLoopFuture where Value == RedisReply {
    /// The same, failing with `Refusal` only.
    func refusing() -> EventLoopFuture<RedisReply> {
        flatMapErrorThrowing { throw Refusal($0) }
    }
}
