internal import Journal
internal import RESP

/// What a write that was made is answered with.
struct WriteAnswer: Hashable, Sendable {
    let id: String
    let token: WriteToken
    /// Objects that a deletion removed or changed; nil of a `CFG.PUT`.
    let removed: Int?

    var reply: Reply {
        var pairs = [Reply.Pair(.text("id"), .text(id)), Reply.Pair(.text("token"), .text("\(token)"))]
        if let removed { pairs.append(Reply.Pair(.text("removed"), .integer(Int64(removed)))) }
        return .map(pairs)
    }
}

// As `regionsync.once` keeps it: token, objects removed or `-`, ID.
extension WriteAnswer: LosslessStringConvertible {
    var description: String { "\(token) \(removed.map { "\($0)" } ?? "-") \(id)" }

    init?(_ description: String) {
        let parts = description.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let token = WriteToken(parts[0]) else { return nil }
        guard let removed = Int(parts[1]) else {
            guard parts[1] == "-" else { return nil }
            self.init(id: String(parts[2]), token: token, removed: nil)
            return
        }
        self.init(id: String(parts[2]), token: token, removed: removed)
    }
}

extension WriteToken {
    /// Position and number of the transaction that it runs in, to be its last statement but those that keep the token.
    ///
    /// The message makes sure that there is something to commit, and so an entry in the journal that the token is found by.
    static let statement = WriteStatement(
        """
        SELECT ((SELECT max(number) FROM regionsync.history)::numeric * \(UInt64(1) << 52)
                + (pg_current_wal_insert_lsn() - '0/0'::pg_lsn))::text,
            pg_current_xact_id()::text, pg_logical_emit_message(true, 'regionsync', 'write')
        """)

    /// The number of the newest history that the server has.
    static let newestHistory = WriteStatement("SELECT max(number)::text FROM regionsync.history")

    /// What `statement` answered; nil where PostgreSQL has no history yet.
    init?(_ answer: StatementRows) {
        guard let row = answer.rows.first, row.count >= 2, let position = row[0].flatMap({ Position($0) }),
            let xid = row[1].flatMap({ UInt64($0) })
        else { return nil }
        self.init(after: position, xid: UInt32(truncatingIfNeeded: xid))
    }
}
