package import RESP

/// A library of Redis Functions: its code and the name under which the server keeps it.
///
/// The name carries a version, so that an older worker cannot replace a newer one's; libraries of several versions stand
/// beside each other. A full resync of a replica wipes functions, so the library is loaded again on "Function not found".
package struct FunctionLibrary: Sendable, Hashable {
    package let name: String
    package let code: String

    /// Makes a library of Lua code; `body` lacks the `#!lua` line.
    package init(name: String, body: String) {
        self.name = name
        code = "#!lua name=\(name)\n" + body
    }

    /// Loads the library, replacing only what has the same name and version.
    package var loadCommand: RedisCommand { RedisCommand("FUNCTION", "LOAD", "REPLACE", code) }
}

/// The guarded operations on journals; each is atomic at the server and survives a crash whole or not at all.
package enum JournalFunctions {
    /// Lua: the last ID that a stream has given out, how many entries it was ever given and how many it holds; nil for no
    /// stream. Whatever else keeps a stream from being looked at is an error: it must not pass for an empty journal.
    package static let generated = """
        local function generated(stream)
            local info = redis.pcall('XINFO', 'STREAM', stream)
            if info.err then
                if string.find(info.err, 'no such key', 1, true) then return nil end
                error(info)
            end
            local own, length
            for i = 1, #info, 2 do
                if info[i] == 'length' then length = info[i + 1] end
                if info[i] == 'last-generated-id' then own = info[i + 1] end
                if info[i] == 'entries-added' then return own, info[i + 1], length end
            end
            return own
        end
        """

    /// - `rsj3_open stream meta birth`: makes sure that the meta exists (an empty journal is born with `birth`, a stream
    ///   without meta is left alone) and answers
    ///   `[birth|nil, last, count, floor, closed|nil, position|nil, generated, length, forked|nil, told|nil, digest|nil,
    ///   shown|nil]`, the digest that of its newest entry.
    /// - `rsj3_accept stream meta birth last shown`: where the journal, which ends with `last` by its meta, goes on by its
    ///   stream, lets it end there and, if `shown` is not empty, notes that; answers how many entries there are behind
    ///   `last`, 1,000 at most, and the first.
    /// - `rsj3_word meta birth field word`: notes a word beside a journal or copy: `shown`, what the stream of PostgreSQL
    ///   showed; `gap`, drawn anew for each gap in a copy.
    /// - `rsj3_lineage stream meta birth cursor peer limit copyBirth`: the same for the region of birth, where anyone may have
    ///   written first: answers `[birth, floor, closed|nil, generated, found|nil, passed|nil, missed|nil, added, isFormer,
    ///   digest|nil]`.
    ///   `found` is the newest entry at or below `cursor`, `missed` what was noted for `peer`; `isFormer` says whether
    ///   the journal once had the mark `copyBirth`.
    /// - `rsj3_passed stream cursor limit`: how many entries were ever added at or below `cursor`, those that left
    ///   without being read included; 0 when there is no stream, nil when more than `limit` entries follow and older ones
    ///   are there as well.
    /// - `rsj3_append stream meta birth expected position shape entries…`: the one guarded write.
    ///   Refuses with `WIDE` before anything is written what Lua's stack cannot hold: an entry of over 3,000 fields.
    /// - `rsj3_position stream meta birth expected position`: moves only `position`, under the same guard and never back.
    /// - `rsj3_trim stream meta minimum birth`: removes the entries below `minimum`, sets the floor; answers how many went.
    /// - `rsj3_behead stream meta count birth floor`: removes the `count` oldest entries, sets the floor; answers the last
    ///   that went. Who asks must know the floor, so that two who find a journal too large do not both remove the excess.
    /// - `rsj3_note meta birth peer known missed`: notes what a peer missed where that was `known` before, else does nothing.
    /// - `rsj3_heal`, `rsj3_reborn`, `rsj3_adopt`, `rsj3_fork`: see `lineageRepair`.
    ///
    /// Those that remove or note name the birth mark they were decided by, empty where there is none: a worker that was
    /// paused meanwhile, and does not know that another works in its place, changes nothing but what it looked at.
    ///
    /// What the mirror needs to read from a full Redis, and to make room there, works beyond `maxmemory` too.
    ///
    /// Cost, on one core: about 4 µs an entry of three fields and 300 bytes.
    package static let library = FunctionLibrary(
        name: "regionsync_journal_3",
        body: """
            \(generated)

            local function digest(entry) return entry and redis.sha1hex(table.concat(entry[2], '\\0')) end

            local function open(keys, args)
                local stream, meta = keys[1], keys[2]
                local own, _, length = generated(stream)
                if not own and redis.call('EXISTS', meta) == 0 then
                    redis.call('HSET', meta, 'birth', args[1], 'last', '0-0', 'count', 0, 'floor', '0-0')
                end
                local state = redis.call('HMGET', meta, 'birth', 'last', 'count', 'floor', 'closed', 'position')
                local fork = redis.call('HMGET', meta, 'forked', 'told')
                if not own then state[2] = state[2] or '0-0' end
                state[7], state[8], state[9], state[10] = own or '0-0', length or 0, fork[1], fork[2]
                state[11] = digest(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]) or false
                state[12] = redis.call('HGET', meta, 'shown')
                return state
            end

            local function accept(keys, args)
                local stream, meta = keys[1], keys[2]
                local state = redis.call('HMGET', meta, 'birth', 'last', 'closed')
                if state[1] ~= args[1] then return redis.error_reply('FENCED birth') end
                if state[3] then return redis.error_reply('FENCED closed') end
                if (state[2] or '0-0') ~= args[2] then return redis.error_reply('CURSOR ' .. (state[2] or '0-0')) end
                local found = redis.call('XRANGE', stream, '(' .. args[2], '+', 'COUNT', 1000)
                local own = generated(stream)
                if not own or not found[1] then return redis.error_reply('FORKED ' .. (own or '0-0')) end
                redis.call('HSET', meta, 'last', own)
                redis.call('HINCRBY', meta, 'count', #found)
                if args[3] ~= '' then redis.call('HSET', meta, 'shown', args[3]) end
                return {#found, found[1][1]}
            end

            local function passed(stream, cursor, limit)
                local own, added = generated(stream)
                if not own then return 0 end
                if own == cursor then return added end
                if not redis.call('XREVRANGE', stream, cursor, '-', 'COUNT', 1)[1] then
                    return added - redis.call('XLEN', stream)
                end
                local behind = #redis.call('XRANGE', stream, '(' .. cursor, '+', 'COUNT', limit + 1)
                return behind <= limit and added - behind
            end

            local function lineage(keys, args)
                local stream, meta = keys[1], keys[2]
                local own, added = generated(stream)
                if redis.call('HSETNX', meta, 'birth', args[1]) == 1 then
                    redis.call('HSET', meta, 'floor', '0-0')
                    if not own then redis.call('HSET', meta, 'last', '0-0', 'count', 0) end
                end
                local state = redis.call('HMGET', meta, 'birth', 'floor', 'closed', 'missed:' .. args[3])
                local found = redis.call('XREVRANGE', stream, args[2], '-', 'COUNT', 1)[1]
                return {
                    state[1], state[2] or '0-0', state[3], own or '0-0', found and found[1] or false,
                    passed(stream, args[2], tonumber(args[4])), state[4], added or 0,
                    redis.call('HEXISTS', meta, 'former:' .. args[5]), digest(found) or false
                }
            end

            local function add(stream, shape, args, at)
                local last, written = nil, 0
                for entries, fields in string.gmatch(shape, '(%d+)x(%d+)') do
                    local width = 2 * fields
                    for _ = 1, entries do
                        local added = redis.pcall('XADD', stream, unpack(args, at, at + width))
                        if type(added) == 'table' then return last, written, added end
                        last = added
                        at = at + width + 1
                        written = written + 1
                    end
                end
                return last, written
            end

            local function wide(shape)
                for fields in string.gmatch(shape, 'x(%d+)') do
                    if tonumber(fields) > 3000 then return redis.error_reply('WIDE ' .. fields) end
                end
            end

            local function append(keys, args)
                local stream, meta = keys[1], keys[2]
                local state = redis.call('HMGET', meta, 'birth', 'last', 'closed')
                if state[1] ~= args[1] then return redis.error_reply('FENCED birth') end
                if state[3] then return redis.error_reply('FENCED closed') end
                local last = state[2] or '0-0'
                if last ~= args[2] then return redis.error_reply('CURSOR ' .. last) end
                local own = generated(stream) or '0-0'
                if own ~= last then return redis.error_reply('FORKED ' .. own) end
                local refusal = wide(args[4])
                if refusal then return refusal end
                local added, written, failure = add(stream, args[4], args, 5)
                last = added or last
                redis.call('HINCRBY', meta, 'count', written)
                if failure or args[3] == '' then
                    redis.call('HSET', meta, 'last', last)
                else
                    redis.call('HSET', meta, 'last', last, 'position', args[3])
                end
                return failure or last
            end

            local function position(keys, args)
                local stream, meta = keys[1], keys[2]
                local state = redis.call('HMGET', meta, 'birth', 'last', 'closed', 'position')
                if state[1] ~= args[1] then return redis.error_reply('FENCED birth') end
                if state[3] then return redis.error_reply('FENCED closed') end
                if state[2] ~= args[2] then return redis.error_reply('CURSOR ' .. (state[2] or '0-0')) end
                local own = generated(stream) or '0-0'
                if own ~= state[2] then return redis.error_reply('FORKED ' .. own) end
                -- Numbers of up to 64 bits, which Lua cannot hold: the longer text is the greater.
                local old, new = state[4] or '', args[3]
                if #new > #old or (#new == #old and new > old) then redis.call('HSET', meta, 'position', new) end
                return state[2]
            end

            local function trim(keys, args)
                local stream, meta = keys[1], keys[2]
                if (redis.call('HGET', meta, 'birth') or '') ~= args[2] then return redis.error_reply('FENCED birth') end
                local below = redis.call('XREVRANGE', stream, '(' .. args[1], '-', 'COUNT', 1)[1]
                if not below then return 0 end
                local removed = redis.call('XTRIM', stream, 'MINID', args[1])
                redis.call('HSET', meta, 'floor', below[1])
                return removed
            end

            local function behead(keys, args)
                local stream, meta = keys[1], keys[2]
                local state = redis.call('HMGET', meta, 'birth', 'floor')
                if (state[1] or '') ~= args[2] then return redis.error_reply('FENCED birth') end
                if (state[2] or '') ~= args[3] then return redis.error_reply('CURSOR ' .. (state[2] or '0-0')) end
                local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', args[1])
                if #oldest == 0 then return false end
                redis.call('XTRIM', stream, 'MAXLEN', redis.call('XLEN', stream) - #oldest)
                redis.call('HSET', meta, 'floor', oldest[#oldest][1])
                return oldest[#oldest][1]
            end

            \(lineageRepair)

            local function note(keys, args)
                local meta, field = keys[1], 'missed:' .. args[2]
                local state = redis.call('HMGET', meta, 'birth', field)
                if state[1] ~= args[1] or (state[2] or '0') ~= args[3] then return 0 end
                redis.call('HSET', meta, field, args[4])
                return 1
            end

            redis.register_function('rsj3_open', open)
            redis.register_function('rsj3_accept', accept)
            redis.register_function('rsj3_word', function(keys, args)
                if redis.call('HGET', keys[1], 'birth') ~= args[1] then return redis.error_reply('FENCED birth') end
                return redis.call('HSET', keys[1], args[2], args[3])
            end)
            redis.register_function{function_name = 'rsj3_lineage', callback = lineage, flags = {'allow-oom'}}
            redis.register_function{
                function_name = 'rsj3_passed',
                callback = function(keys, args) return passed(keys[1], args[1], tonumber(args[2])) end,
                flags = {'no-writes', 'allow-oom'}
            }
            redis.register_function('rsj3_append', append)
            redis.register_function('rsj3_position', position)
            redis.register_function{function_name = 'rsj3_trim', callback = trim, flags = {'allow-oom'}}
            redis.register_function{function_name = 'rsj3_behead', callback = behead, flags = {'allow-oom'}}
            redis.register_function{function_name = 'rsj3_note', callback = note, flags = {'allow-oom'}}
            """)

    /// Asks where a journal ends; an empty one is born with the mark `birth`.
    package static func open(_ journal: JournalName, birth: String) -> RedisCommand {
        RedisCommand("FCALL", "rsj3_open", "2", journal.key, journal.metaKey, birth)
    }

    /// Lets a journal that somebody else has written to end where its stream does. If a transaction `isOpen` there, what the
    /// stream of PostgreSQL shows is to be compared as if it had changed.
    package static func accept(
        _ journal: JournalName, birth: String, last: EntryID, isOpen: Bool
    ) -> RedisCommand {
        RedisCommand(
            "FCALL", "rsj3_accept", "2", journal.key, journal.metaKey, birth, last.description,
            isOpen ? "written-by-others" : "")
    }

    /// Notes what the stream of PostgreSQL showed when its tables were compared as a whole.
    package static func note(shown: String, of journal: JournalName, birth: String) -> RedisCommand {
        RedisCommand("FCALL", "rsj3_word", "1", journal.metaKey, birth, "shown", shown)
    }

    /// Notes that a copy goes on behind a gap; `mark` was never used before.
    package static func note(gap mark: String, in journal: JournalName, birth: String) -> RedisCommand {
        RedisCommand("FCALL", "rsj3_word", "1", journal.metaKey, birth, gapField, mark)
    }

    /// The field of a copy's meta that is written anew for each gap in it.
    package static let gapField = "gap"

    /// Asks how many entries were ever added up to `cursor`; the answer is nil when more than `limit` follow.
    package static func passed(_ journal: JournalName, cursor: EntryID, limit: Int) -> RedisCommand {
        RedisCommand("FCALL", "rsj3_passed", "1", journal.key, cursor.description, "\(limit)")
    }

    /// Notes how many entries up to the cursor of a peer's copy never came there and never will; `known` is what was noted
    /// before.
    package static func note(
        missed: UInt64, known: UInt64, by peer: String, of journal: JournalName, birth: String
    ) -> RedisCommand {
        RedisCommand("FCALL", "rsj3_note", "1", journal.metaKey, birth, peer, "\(known)", "\(missed)")
    }

    /// Notes beside the copy in `region` what it will never have; `known` is what was noted before.
    package static func note(
        _ gap: CopyGap, known: CopyGap?, in region: String, of journal: JournalName, birth: String
    ) -> RedisCommand {
        RedisCommand(
            "FCALL", "rsj3_note", "1", journal.metaKey, birth, region, known?.description ?? "0", gap.description)
    }

    /// Appends a batch to a journal that must end with the batch's `previous`; else the answer is `CURSOR <last>`.
    /// `position` is capture's position behind the batch, when the batch ends a transaction or a snapshot.
    package static func append(
        _ batch: EntryBatch, to journal: JournalName, birth: String, position: Position? = nil
    ) -> RedisCommand {
        RedisCommand(
            [
                "FCALL", "rsj3_append", "2", journal.key, journal.metaKey, birth, batch.previous.description,
                position?.description ?? "", batch.shape.text,
            ], batch.strings)
    }

    /// Moves capture's position in a journal that must end with `last`; else the answer is `CURSOR <last>`.
    package static func move(
        _ position: Position, of journal: JournalName, birth: String, last: EntryID
    ) -> RedisCommand {
        RedisCommand(
            "FCALL", "rsj3_position", "2", journal.key, journal.metaKey, birth, last.description, position.description)
    }

    /// Removes all entries below `minimum`, the lowest ID to keep. One that comes late removes what it would have removed
    /// in time: entries are never added below others.
    package static func trim(_ journal: JournalName, minimum: EntryID, birth: String) -> RedisCommand {
        RedisCommand("FCALL", "rsj3_trim", "2", journal.key, journal.metaKey, minimum.description, birth)
    }

    /// Removes the `count` oldest entries, whoever lacks them, if the floor still is what it was; empty for none.
    package static func behead(_ journal: JournalName, by count: Int, birth: String, floor: String) -> RedisCommand {
        RedisCommand("FCALL", "rsj3_behead", "2", journal.key, journal.metaKey, "\(count)", birth, floor)
    }
}
