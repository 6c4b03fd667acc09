/// A `ONCE` key of an account and tenant, in the table `regionsync.once`. It is claimed first and given its answer last, in the
/// transaction of the write itself: one that repeats it at the same time waits, and gets the answer.
package struct OnceKey: Hashable, Sendable {
    let account: String
    let tenant: Int64
    let key: String
    /// What was asked for.
    let fingerprint: String

    private var parameters: [String?] { [account, "\(tenant)", key] }

    /// Answers a row where the key is new.
    var claim: WriteStatement {
        WriteStatement(
            """
            INSERT INTO regionsync.once (account, tenant, key, request)
            VALUES ($1, $2, $3, sha256(convert_to($4, 'UTF8'))) ON CONFLICT DO NOTHING RETURNING key
            """, parameters + [fingerprint])
    }

    /// Whether the same was asked for, and what was answered.
    var recall: WriteStatement {
        WriteStatement(
            """
            SELECT request = sha256(convert_to($4, 'UTF8')), answer FROM regionsync.once
            WHERE account = $1 AND tenant = $2 AND key = $3
            """, parameters + [fingerprint])
    }

    func remember(_ answer: WriteAnswer) -> WriteStatement {
        WriteStatement(
            "UPDATE regionsync.once SET answer = $4 WHERE account = $1 AND tenant = $2 AND key = $3",
            parameters + ["\(answer)"])
    }

    /// Forgets so many of the keys that are a day old, at most.
    package static func pruning(_ limit: Int) -> WriteStatement {
        WriteStatement(
            """
            DELETE FROM regionsync.once WHERE (account, tenant, key) IN (
                SELECT account, tenant, key FROM regionsync.once WHERE at < now() - interval '1 day'
                ORDER BY at LIMIT \(limit) FOR UPDATE SKIP LOCKED)
            """)
    }

    /// As many as are forgotten at a time.
    package static let pruneLimit = 500
}
