package import RESP
internal import NIOCore

/// The guarded append as a transaction: the same contract as `rsj3_append`, for batches of many entries, of which it costs
/// Redis about a third less (no entry passes through Lua).
///
/// `MULTI`, guard, one `XADD` an entry, closing script, `EXEC`, all in one round trip with many in flight. A transaction
/// does not stop when one of its commands fails, so the guard must make every `XADD` fail: where the journal is not what
/// was expected it sets the stream's last ID to the highest there is, and the closing script sets it back. Nobody sees
/// that, and a crash undoes or completes it whole.
///
/// What the server refuses when a command is queued (OOM, READONLY, MISCONF, NOREPLICAS, LOADING, NOPERM) is refused for
/// the guard or for the first `XADD`, and then `EXEC` carries out nothing. Scripts travel by `EVAL`, since a missing
/// function would fail only while the rest is carried out. A guard that fails while it runs cannot stop the `XADD`s behind
/// it. So it notes its consent in the meta, with the number of entries that the stream was ever given, and a closing
/// script that does not find it there, or finds another number of entries added since, closes the journal and answers
/// `BROKEN`: nothing that was written unguarded is ever continued.
///
/// None of this holds for a user who may not use `MULTI` and `EXEC`: whoever sends these transactions asks for those
/// rights first.
package enum AppendTransaction {
    /// Keys: stream, meta. Arguments: birth, expected.
    private static let guarding =
        JournalFunctions.generated + """

            local stream, meta = KEYS[1], KEYS[2]
            local own, added = generated(stream)
            local function refusal()
                local state = redis.pcall('HMGET', meta, 'birth', 'last', 'closed')
                if state.err then return state.err end
                if state[1] ~= ARGV[1] then return 'FENCED birth' end
                if state[3] then return 'FENCED closed' end
                local last = state[2] or '0-0'
                if last ~= ARGV[2] then return 'CURSOR ' .. last end
                if (own or '0-0') ~= ARGV[2] then return 'FORKED ' .. (own or '0-0') end
            end
            local reason = refusal()
            if not reason then
                redis.call('HSET', meta, 'guard', ARGV[2] .. ' ' .. (added or 0))
                return 'OK'
            end
            local top = '18446744073709551615-18446744073709551615'
            if own == top then
                -- Nothing can be added, and what the last ID was before is noted already, if anywhere.
                redis.pcall('HSET', meta, 'refusal', reason)
                return reason
            end
            if own then
                redis.call('XSETID', stream, top)
            else
                redis.call('XADD', stream, top, '', '')
                redis.call('XDEL', stream, top)
            end
            redis.pcall('HSET', meta, 'refusal', reason, 'restore', own or 'absent')
            return reason
            """

    /// Keys: stream, meta. Arguments: birth, expected, last, count, position.
    private static let closing =
        JournalFunctions.generated + """

            local stream, meta = KEYS[1], KEYS[2]
            local own, added = generated(stream)
            own = own or '0-0'
            local state = redis.pcall('HMGET', meta, 'birth', 'last', 'closed', 'guard', 'refusal', 'restore')
            if state.err then
                -- The meta is no hash: the guard has refused, and could not note there what to set back.
                local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
                redis.call('XSETID', stream, newest and newest[1] or '0-0')
                return redis.error_reply(state.err)
            end
            if state[5] then
                if state[6] == 'absent' then
                    if redis.call('XLEN', stream) == 0 then redis.call('DEL', stream) end
                elseif state[6] then
                    redis.call('XSETID', stream, state[6])
                end
                redis.call('HDEL', meta, 'refusal', 'restore')
                return redis.error_reply(state[5])
            end
            local isGuarded = state[1] == ARGV[1] and (state[2] or '0-0') == ARGV[2] and not state[3]
                and state[4] == ARGV[2] .. ' ' .. (added or 0) - ARGV[4]
            if not isGuarded or own ~= ARGV[3] then
                if not state[3] then redis.pcall('HSET', meta, 'closed', 'append broke at ' .. own) end
                return redis.error_reply('BROKEN ' .. own)
            end
            redis.call('HINCRBY', meta, 'count', ARGV[4])
            if ARGV[5] == '' then
                redis.call('HSET', meta, 'last', own)
            else
                redis.call('HSET', meta, 'last', own, 'position', ARGV[5])
            end
            return own
            """

    /// Batches of at least so many entries are cheaper this way than through the function.
    package static let worthwhile = 8

    /// The transaction that appends `batch` to a journal born with the mark `birth`. The last element of the answer is
    /// the last ID, or the error reply that a refusal is.
    package static func append(
        _ batch: EntryBatch, to journal: JournalName, birth: String, position: Position? = nil
    ) throws(EntryBatch.Malformed) -> RedisTransaction {
        var transaction = RedisTransaction(capacity: batch.byteCount + batch.count * 64 + 5_000)
        let keys = ["2", journal.key, journal.metaKey]
        transaction.append(
            RedisCommand(words: ["EVAL", guarding] + keys + [birth, batch.previous.description], runs: []))
        let view = batch.strings.buffer.readableBytesView
        var walk = BulkStringWalk(view)
        for run in batch.shape.runs {
            var entries: [Range<Int>] = []
            entries.reserveCapacity(run.entries)
            for _ in 0..<run.entries {
                guard let words = walk.skipRange(1 + 2 * run.fields) else {
                    throw EntryBatch.Malformed(offset: walk.offset)
                }
                entries.append(words)
            }
            let head = RedisTransaction.head(["XADD", journal.key], following: 1 + 2 * run.fields)
            transaction.append(head: head, eachOf: entries, in: view)
        }
        transaction.append(
            RedisCommand(
                words: ["EVAL", closing] + keys + [
                    birth, batch.previous.description, batch.last.description, "\(batch.count)",
                    position?.description ?? "",
                ], runs: []))
        transaction.finish()
        return transaction
    }
}
