internal import Journal
internal import Logging
internal import Mirror
internal import NIOCore
internal import Observability
internal import RESP
internal import RedisClient

// What peers that are away lack of what is removed: counted as lost when it goes.
extension Trimmer {
    /// A peer whose link is down.
    struct Absentee {
        let peer: String
        /// Where its copy ends by its own last word; nil where all that the journal has left stands behind that.
        private(set) var cursor: EntryID?
        /// How many of the oldest entries, as looked at last, its copy has.
        private(set) var held = 0

        init(peer: String, cursor: EntryID?) {
            self.peer = peer
            self.cursor = cursor
        }

        /// Counts those of the `count` oldest entries that the copy has.
        mutating func look(at count: Int, of name: JournalName, through connection: RedisConnection) async throws {
            held = 0
            guard let cursor else { return }
            let command = RedisCommand("EVAL", Self.countHeld, "1", name.key, cursor.description, "\(count)")
            held = Int(clamping: try await connection.call(command).get().integer ?? 0)
            if held < count { self.cursor = nil }
        }

        /// Whether its copy may end within the transaction of an entry, all up to which went.
        func mayLack(theRestOf last: EntryID) -> Bool { cursor.map { $0.first == last.first } ?? true }

        private static let countHeld = """
            #!lua flags=no-writes,allow-oom
            return #redis.call('XRANGE', KEYS[1], '-', ARGV[1], 'COUNT', ARGV[2])
            """
    }

    /// A Redis that is full is trimmed all the same.
    private static let noteCounted = """
        #!lua flags=allow-oom
        return redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
        """

    /// The peers that are away, but for those of whose copies nothing is known.
    func absentees(of journal: Found, through connection: RedisConnection) async throws -> [Absentee] {
        guard journal.name.origin == settings.region else { return [] }
        var absentees: [Absentee] = []
        for link in links {
            guard await link.isDown else { continue }
            // The peer's own word goes first: the note may have come behind the look at it when the link was up last.
            if let cursor = await link.acknowledged(of: journal.name) {
                absentees.append(Absentee(peer: link.peer, cursor: cursor))
                continue
            }
            let field = JournalName.countedField(peer: link.peer, birth: journal.birth)
            let counted: RedisReply = try await connection.send(RedisCommand("HGET", journal.name.metaKey, field))
            // What it lacked went before: everything left stands behind that.
            if !counted.isNull { absentees.append(Absentee(peer: link.peer, cursor: nil)) }
        }
        return absentees
    }

    /// Those whose links are down still: the others count for themselves.
    func stillAway(_ absentees: [Absentee]) async -> [Absentee] {
        var away: [Absentee] = []
        for absentee in absentees {
            if let link = links.first(where: { $0.peer == absentee.peer }), await link.isDown { away.append(absentee) }
        }
        return away
    }

    /// Counts what a peer lacks of the `removed` oldest entries, which were looked at before; the link to it then does not
    /// count it again.
    func went(
        _ removed: Int, of journal: Found, lackedBy absentee: Absentee, through connection: RedisConnection
    ) async throws {
        let lacked = removed - absentee.held
        guard lacked > 0 else { return }
        let field = JournalName.countedField(peer: absentee.peer, birth: journal.birth)
        metrics.counter(.mirrorLost, [.cause: "trimmed"]).add(lacked)
        let command = RedisCommand("EVAL", Self.noteCounted, "1", journal.name.metaKey, field, "\(lacked)")
        _ = try await connection.call(command).get()
        logger.debug(
            "Entries went that a peer lacks",
            [.journal: "\(journal.name)", .peer: "\(absentee.peer)", .entries: "\(lacked)"])
    }
}
