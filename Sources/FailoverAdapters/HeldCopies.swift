internal import Failover
internal import Journal
internal import NIOCore
internal import RESP
internal import RedisClient

/// Copies of the journals of a region that is down, as a survivor's Redis or a peer's has them.
extension SurvivorRedis {
    /// The journals of a region that survivors give each other: with a voice journal for each of these tenants that has a
    /// dbid. Not `control`: probes that come late would pass for signs of life.
    static func journals(of down: String, tenants: [String]) -> [JournalName] {
        let known = Set(tenants).filter { UInt64($0) != nil }.sorted()
        let voice = known.map { JournalName.voice(tenant: $0, origin: down) }
        return [JournalName.provisioning(origin: down)] + voice
    }

    /// How each stands in `region`, whose Redis this is.
    func copies(of journals: [JournalName], in region: String) async throws(FailoverFailure) -> [HeldCopy] {
        try await ask(
            journals.map { RedisCommand("FCALL", "rsf1_copy", "2", $0.key, $0.metaKey, CopyGap.field(in: region)) }
        ).map { reply in
            let parts = Array(reply.elements)
            guard parts.count == 7 else { return HeldCopy(birth: "", last: .zero, generated: .zero) }
            let gap = parts[5].string.flatMap { CopyGap($0) }
            return HeldCopy(
                birth: parts[0].string, last: entryID(parts[1]), generated: entryID(parts[4]), floor: entryID(parts[2]),
                gap: gap.map { $0.missed > 0 ? $0.through : .zero } ?? .zero, isClosed: !parts[3].isNull,
                newest: parts[6].string)
        }
    }

    private func entryID(_ reply: RedisReply) -> EntryID { reply.string.flatMap { EntryID($0) } ?? .zero }

    /// For each place in a journal how many entries there are behind it, `limit` at most, and the digest of the entry
    /// there, nil where there is none.
    func behind(
        _ places: [JournalCursor], limit: Int
    ) async throws(FailoverFailure) -> [(entries: UInt64, digest: String?)] {
        let answers = try await ask(
            places.map { RedisCommand("FCALL", "rsf1_behind", "1", $0.journal.key, "\($0.last)", "\(limit)") })
        return answers.map { reply in
            (entries: reply[0]?.integer.flatMap { UInt64(exactly: $0) } ?? 0, digest: reply[1]?.string)
        }
    }

    /// Up to `count` entries behind `cursor`, none beyond `end`; nil where there are none, or where the copy is no longer
    /// that of this birth, or not whole there.
    func page(
        of journal: JournalName, birth: String, behind cursor: EntryID, through end: EntryID, count: Int
    ) async throws(FailoverFailure) -> EntryBatch? {
        let answers = try await ask([
            RedisCommand("XRANGE", journal.key, "(\(cursor)", "\(end)", "COUNT", "\(count)"),
            RedisCommand("HMGET", journal.metaKey, "birth", "closed", "floor"),
        ])
        guard let entries = StreamEntries(answers[0]) else { throw .unavailable("XRANGE answered otherwise") }
        let meta = Array(answers[1].elements)
        guard meta.count == 3, meta[0].string == birth, meta[1].isNull, entryID(meta[2]) <= cursor,
            let last = entries.lastID.flatMap({ EntryID(ascii: $0.readableBytesView) })
        else { return nil }
        return EntryBatch(
            previous: cursor, last: last, strings: BulkStrings(wire: entries.wire, count: entries.wireCount),
            shape: EntryBatch.Shape(runs: entries.runs.map { .init(entries: $0.entries, fields: $0.fields) }))
    }
}
