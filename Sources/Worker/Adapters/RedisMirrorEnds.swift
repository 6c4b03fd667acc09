package import Journal
package import Mirror
package import NIOCore
internal import RESP
package import RedisClient

/// The two ends of a mirror link as Redis connections, all on the link's event loop.
package struct RedisMirrorConnector: MirrorConnector {
    let region: String
    let local: RedisEndpoint
    private(set) var remote: RedisEndpoint
    let eventLoop: any EventLoop

    /// Connections from `region` with its own Redis, `local`, to a peer's, `remote`.
    ///
    /// The peer is far away: BBR is asked for, and silence is borne no longer than a link may be dead unnoticed.
    package init(region: String, local: RedisEndpoint, remote: RedisEndpoint, eventLoop: any EventLoop) {
        self.region = region
        self.local = local
        self.remote = remote
        self.remote.prefersBBR = true
        self.remote.responseTimeout = min(remote.responseTimeout, remote.linkTimeout)
        self.eventLoop = eventLoop
    }

    package func source() async throws(Refusal) -> any MirrorSource {
        let connection = try await open(local, name: "mirror-source")
        do {
            try await connection.load(JournalFunctions.library)
            return RedisMirrorSource(connection: connection, connector: self)
        } catch {
            connection.closeSoon()
            throw Refusal(error)
        }
    }

    package func target(leaving knock: Knock) async throws(LinkLoss) -> any MirrorTarget {
        do {
            let connection = try await RedisConnection.connect(
                to: remote, name: "regionsync-mirror-\(region)", greeting: [knock.command(from: region)],
                on: eventLoop)
            do {
                return try await target(through: connection)
            } catch {
                connection.closeSoon()
                throw error
            }
        } catch {
            throw LinkLoss(error)
        }
    }

    private func target(through connection: RedisConnection) async throws -> any MirrorTarget {
        try await connection.load(JournalFunctions.library)
        try await connection.requireTransactions()
        let info = try await ServerInfo.ask(connection)
        if let loss = LinkLoss(evictionBy: info, at: remote) { throw loss }
        return RedisMirrorTarget(connection: connection)
    }

    func open(_ endpoint: RedisEndpoint, name: String) async throws(Refusal) -> RedisConnection {
        do {
            return try await RedisConnection.connect(to: endpoint, name: "regionsync-\(name)", on: eventLoop)
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

    var closed: EventLoopFuture<LinkLoss> { connection.closed }

    func close() { connection.closeSoon() }

    func reader(named name: String, replyBytes: Int) async throws(Refusal) -> any JournalReader {
        var endpoint = connector.local
        endpoint.replyBytes = replyBytes
        return RedisJournalReader(
            connection: try await connector.open(endpoint, name: "reader-\(name)"), region: connector.region)
    }

    func lineage(
        of journal: JournalName, cursor: EntryID, peer: String, copyBirth: String?
    ) -> EventLoopFuture<SourceState> {
        let command = JournalFunctions.lineage(
            journal, birth: freshBirth, cursor: cursor, peer: peer, copyBirth: copyBirth ?? "")
        return connection.call(command).flatMapThrowing { reply in
            let parts = Array(reply.elements)
            guard parts.count == 10, let birth = parts[0].string, let floor = parts[1].entryID,
                let generated = parts[3].entryID, let added = parts[7].entryCount
            else { throw Refusal.unexpected("lineage of \(journal): \(reply)") }
            return SourceState(
                birth: birth, isFormerBirth: parts[8].integer == 1, floor: floor, generated: generated, added: added,
                found: parts[4].entryID, passed: parts[5].entryCount, missed: parts[6].entryCount,
                isClosed: !parts[2].isNull, digest: parts[9].string)
        }
    }

    func newest(of journal: JournalName, through id: EntryID) -> EventLoopFuture<KeptEntry?> {
        connection.newest(of: journal, through: id)
    }

    func heal(_ journal: JournalName, with healing: Healing, entries: EntryBatch?) -> EventLoopFuture<EntryID> {
        connection.call(JournalFunctions.heal(journal, with: healing, entries: entries)).flatMapThrowing { reply in
            guard let id = reply.entryID else { throw Refusal.unexpected("heal answered \(reply)") }
            return id
        }
    }

    func rebear(_ journal: JournalName, _ rebirth: Rebirth, peer: String) -> EventLoopFuture<String> {
        connection.call(JournalFunctions.reborn(journal, rebirth, fresh: freshBirth, peer: peer))
            .flatMapThrowing { reply in
                guard let birth = reply.string else { throw Refusal.unexpected("reborn answered \(reply)") }
                return birth
            }
    }

    func note(missed: UInt64, known: UInt64, by peer: String, of journal: JournalName, birth: String) {
        _ = connection.call(JournalFunctions.note(missed: missed, known: known, by: peer, of: journal, birth: birth))
    }

    func takeCounted(by peer: String, of journal: JournalName, birth: String) -> EventLoopFuture<UInt64> {
        let field = JournalName.countedField(peer: peer, birth: birth)
        let counted: EventLoopFuture<RedisReply> = connection.send(RedisCommand("HGET", journal.metaKey, field))
        let forgotten: EventLoopFuture<RedisReply> = connection.send(RedisCommand("HDEL", journal.metaKey, field))
        return counted.and(forgotten).map { $0.0.string.flatMap { UInt64($0) } ?? 0 }
    }

    func births(of journals: [JournalName]) -> EventLoopFuture<[String?]> {
        let replies = journals.map { journal in
            connection.send(RedisCommand("HGET", journal.metaKey, "birth")).refusing().map(\.string)
                .withoutTheUnexpected()
        }
        return EventLoopFuture.whenAllSucceed(replies, on: connection.eventLoop)
    }

    func entriesAdded(to journals: [JournalName]) -> EventLoopFuture<[UInt64?]> {
        let replies = journals.map { journal in
            connection.send(RedisCommand("XINFO", "STREAM", journal.key)).refusing().map { reply -> UInt64? in
                let parts = Array(reply.elements)
                guard let index = parts.firstIndex(where: { $0.string == "entries-added" }), index + 1 < parts.count
                else { return nil }
                return parts[index + 1].entryCount
            }.withoutTheUnexpected()  // ERR no such key
        }
        return EventLoopFuture.whenAllSucceed(replies, on: connection.eventLoop)
    }

    func identity() -> EventLoopFuture<ServerIdentity> {
        connection.send(RedisCommand("INFO", "server", "replication")).refusing().map { reply in
            let fields = ServerInfo(reply)
            return ServerIdentity(runID: fields["run_id"] ?? "", replicationID: fields["master_replid"] ?? "")
        }
    }

    func probe(
        _ journal: JournalName, to peer: String, _ heartbeat: Heartbeat?, captured: Position?
    ) -> EventLoopFuture<EntryID> {
        connection.send(Heartbeat.probe(to: peer, with: heartbeat, captured: captured, appendingTo: journal))
            .leavingElsewhere(connection).refusing().flatMapThrowing { reply in
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
        let read = connection.send(StreamReads.command(cursors, count: count, blockTime: blockTime))
            .flatMapErrorThrowing { error in
                guard case RedisError.tooLarge = error else { throw error }
                throw Refusal.unexpected("\(error)")  // an answer beyond the limit ends the connection this way
            }.refusing()
        // Answered behind the read: a server flushed before the read has no mark or another one.
        let metaKey = JournalName.control(origin: region).metaKey
        let mark = connection.send(
            RedisCommand("HGET", metaKey, "birth"), deadline: blockTime + connection.endpoint.responseTimeout
        ).refusing()
        return read.and(mark).flatMapThrowing { reply, mark in
            MarkedReads(reads: try StreamReads.batches(in: reply, of: cursors), mark: mark.string)
        }
    }

    func passed(_ cursors: [JournalCursor], limit: Int) -> EventLoopFuture<[UInt64?]> {
        let replies = cursors.map { cursor in
            connection.call(JournalFunctions.passed(cursor.journal, cursor: cursor.last, limit: limit))
                .map(\.entryCount).withoutTheUnexpected()
        }
        return EventLoopFuture.whenAllSucceed(replies, on: connection.eventLoop)
    }

    func close() { connection.closeSoon() }
}

/// A peer's Redis as a link's target.
struct RedisMirrorTarget: MirrorTarget {
    let connection: RedisConnection

    var closed: EventLoopFuture<LinkLoss> { connection.closed }

    func close() { connection.closeSoon() }

    func path() -> EventLoopFuture<Gathering.Path?> {
        connection.tcpState().map { state in
            state.map { Gathering.Path(roundTrip: $0.roundTrip, retransmissions: $0.retransmissions) }
        }
    }

    func open(_ journal: JournalName, birth: String, in region: String) -> EventLoopFuture<CopyState> {
        let gap = connection.send(RedisCommand("HGET", journal.metaKey, CopyGap.field(in: region))).refusing()
        return connection.call(JournalFunctions.open(journal, birth: birth)).and(gap).flatMapThrowing { reply, gap in
            let parts = Array(reply.elements)
            guard parts.count == 12, let generated = parts[6].entryID else {
                throw Refusal.unexpected("open of \(journal): \(reply)")
            }
            return CopyState(
                birth: parts[0].string, last: parts[1].entryID ?? .zero,
                count: parts[2].entryCount ?? 0, length: parts[7].entryCount ?? 0, generated: generated,
                floor: parts[3].entryID ?? .zero, isClosed: !parts[4].isNull,
                fork: parts[8].string.flatMap { ClosedCopy($0, told: parts[9].string) }, digest: parts[10].string,
                gap: gap.string.flatMap { CopyGap($0) })
        }
    }

    func note(_ gap: CopyGap, known: CopyGap?, in region: String, of journal: JournalName, birth: String) {
        _ = connection.call(JournalFunctions.note(gap, known: known, in: region, of: journal, birth: birth))
    }

    func newest(of journal: JournalName, through id: EntryID) -> EventLoopFuture<KeptEntry?> {
        connection.newest(of: journal, through: id)
    }

    func tail(of journal: JournalName, behind id: EntryID, count: Int) -> EventLoopFuture<EntryBatch?> {
        connection.send(RedisCommand("XRANGE", journal.key, "(\(id)", "+", "COUNT", "\(count)")).refusing()
            .flatMapThrowing { reply in
                guard let entries = StreamEntries(reply) else { throw Refusal.unexpected("XRANGE answered otherwise") }
                return entries.lastID.flatMap { EntryID(ascii: $0.readableBytesView) }.map {
                    EntryBatch(entries, previous: id, last: $0)
                }
            }
    }

    func adopt(_ journal: JournalName, _ adoption: Adoption) -> EventLoopFuture<Void> {
        connection.call(JournalFunctions.adopt(journal, adoption)).map { _ in }
    }

    func fork(_ journal: JournalName, _ fork: Fork, birth: String) -> EventLoopFuture<Void> {
        connection.call(JournalFunctions.fork(journal, fork, birth: birth)).map { _ in }
    }

    func noteGap(in journal: JournalName, birth: String) -> EventLoopFuture<Void> {
        let mark = String(UInt64.random(in: .min ... .max), radix: 16)
        return connection.call(JournalFunctions.note(gap: mark, in: journal, birth: birth)).map { _ in }
    }

    func told(of copy: ClosedCopy, of journal: JournalName) {
        _ = connection.send(JournalFunctions.tell(copy.number, of: journal))
    }

    func forgetGone(_ copies: [JournalName: ClosedCopy]) -> EventLoopFuture<[JournalName]> {
        let gone = copies.map { journal, copy in
            connection.send(RedisCommand("EXISTS", journal.closedKey(copy.number))).refusing()
                .map { reply -> JournalName? in
                    guard reply.integer == 0 else { return nil }
                    _ = connection.send(JournalFunctions.forgetFork(of: journal))
                    return journal
                }.withoutTheUnexpected()
        }
        return EventLoopFuture.whenAllSucceed(gone, on: connection.eventLoop).map { $0.compactMap { $0 } }
    }

    func unfitness() -> EventLoopFuture<LinkLoss?> {
        let endpoint = connection.endpoint
        return connection.send(RedisCommand("INFO", "memory")).refusing()
            .map { LinkLoss(evictionBy: ServerInfo($0), at: endpoint) }
    }

    func append(_ batch: EntryBatch, to journal: JournalName, birth: String) -> EventLoopFuture<EntryID> {
        guard batch.count < AppendTransaction.worthwhile, !batch.shape.isWide else {
            return transact(batch, journal, birth: birth)
        }
        return connection.call(JournalFunctions.append(batch, to: journal, birth: birth)).flatMapThrowing { reply in
            guard let id = reply.entryID else { throw Refusal.unexpected("append answered \(reply)") }
            return id
        }
    }

    private func transact(_ batch: EntryBatch, _ journal: JournalName, birth: String) -> EventLoopFuture<EntryID> {
        do throws(EntryBatch.Malformed) {
            let transaction = try AppendTransaction.append(batch, to: journal, birth: birth)
            return connection.send(transaction).leavingElsewhere(connection).refusing().flatMapThrowing { reply in
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

extension RedisConnection {
    /// The newest entry of a journal at or below an ID.
    fileprivate func newest(of journal: JournalName, through id: EntryID) -> EventLoopFuture<KeptEntry?> {
        send(RedisCommand("XREVRANGE", journal.key, id.description, "-", "COUNT", "1")).refusing()
            .flatMapThrowing { reply in
                guard let entries = StreamEntries(reply) else {
                    throw Refusal.unexpected("XREVRANGE answered otherwise")
                }
                return entries.lastID.flatMap { EntryID(ascii: $0.readableBytesView) }.map {
                    KeptEntry(id: $0, wire: entries.wire)
                }
            }
    }
}

extension ClosedCopy {
    /// Reads `<number> <cause> <entries>`; nil for anything else.
    fileprivate init?(_ text: String, told: String?) {
        let words = text.split(separator: " ")
        guard words.count == 3, let number = Int(words[0]), let entries = UInt64(words[2]) else { return nil }
        self.init(
            number: number, cause: String(words[1]), entries: min(entries, 1 << 62), isTold: told == String(words[0]))
    }
}

extension RedisReply {
    /// The ID in a string reply; nil for anything else.
    var entryID: EntryID? { bytes.flatMap { EntryID(ascii: $0.readableBytesView) } }

    /// A number of entries, as integer or text; nil for anything else. No sum of two overflows.
    fileprivate var entryCount: UInt64? {
        let number = integer.flatMap { UInt64(exactly: $0) } ?? string.flatMap { UInt64($0) }
        return number.map { min($0, 1 << 62) }
    }
}

extension EventLoopFuture {
    /// The same, with nil for what the server refused in answer to this one question.
    fileprivate func withoutTheUnexpected<Wrapped>() -> EventLoopFuture<Value> where Value == Wrapped? {
        flatMapErrorThrowing { error in
            if case Refusal.unexpected = error { return nil }
            throw error
        }
    }
}
