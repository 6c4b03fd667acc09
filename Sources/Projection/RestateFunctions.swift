package import Journal

/// What a region appends to its own voice journals so that others can begin there (journal.md, mirror rule 4).
package enum RestateFunctions {
    /// The keys are `rs:{t}:projection`, the journal with its meta, and the records in the order of the arguments.
    ///
    /// - `rsr1_tell cursors stream meta record… field limit origin birth last (kind id)…`: restates records of the
    ///   region `origin`, each as it is in state. That is what it is at the end of the journal only where nothing
    ///   behind the cursor `field` is about it; else it has to wait until that is projected. Answers `[since, birth,
    ///   last, n…]`: up to where all is in state, the journal's mark, the last entry so far, and 1 where a record was
    ///   restated, 0 where nothing lives there, -1 where it has to wait. Once a call has appended 256 KiB what is left
    ///   waits, too.
    /// - `rsr1_end cursors stream meta field birth last since mark request region data`: says that all was restated
    ///   that lived at `since`, and notes in `mark` that this answers `request`. Answers 1, or 0 where that one or a
    ///   later one is answered already.
    ///
    /// Where more than `limit` entries are behind the cursor, where the journal is closed, missing or another than
    /// `birth`, has lost the entry `last` that was appended before, or ends before the cursor, nothing is appended and
    /// a word says why. Birth and last are empty in the first call.
    package static let library = FunctionLibrary(
        name: "regionsync_restate_1",
        body: """
            \(VoiceFunctions.unread)

            \(records)

            -- Whether the journal is not the one that had this mark and this entry; trimmed is not lost.
            local function isOther(keys, birth, last)
                local meta = redis.call('HMGET', keys[3], 'birth', 'floor')
                if birth ~= '' and meta[1] ~= birth then return true end
                if last == '' or redis.call('XRANGE', keys[2], last, last)[1] then return false end
                return not meta[2] or precedes(meta[2], last)
            end

            redis.register_function('rsr1_tell', function(keys, args)
                if isOther(keys, args[4], args[5]) then return redis.status_reply('OTHER') end
                local about, rest = unread(keys, args[1], tonumber(args[2]))
                if not about then return redis.status_reply(rest) end
                local isAny, bytes = left(rest, about), 0
                local since, last = redis.call('HGET', keys[1], args[1]) or '0-0', args[5]
                if #rest == 0 then since = generated(keys[2]) end
                local answers = {since, redis.call('HGET', keys[3], 'birth') or '', last}
                for k = 4, #keys do
                    local kind, id, answer = args[2 * k - 2], args[2 * k - 1], -1
                    if not isAny and not about[id] and bytes < 262144 then
                        local data = record(kind, keys[k], id, args[3])
                        if data then
                            last = redis.call('XADD', keys[2], '*', 'event', 'Restated', 'key', id, 'data', data)
                            bytes = bytes + #data
                        end
                        answer = data and 1 or 0
                    end
                    answers[k] = answer
                end
                answers[3] = last
                return answers
            end)

            redis.register_function('rsr1_end', function(keys, args)
                local held, own = redis.call('HMGET', keys[1], args[1], args[5]), generated(keys[2])
                if held[2] and not precedes(held[2], args[6]) then return 0 end
                if not own or isOther(keys, args[2], args[3]) then return redis.status_reply('OTHER') end
                local cursor = held[1] or '0-0'
                local isUnread = precedes(cursor, args[4])
                    and redis.call('XRANGE', keys[2], '(' .. cursor, args[4], 'COUNT', 1)[1]
                if isUnread or precedes(own, args[4]) then return redis.status_reply('BEFORE') end
                if redis.call('HGET', keys[3], 'closed') then return redis.status_reply('CLOSED') end
                redis.call('XADD', keys[2], '*', 'event', 'Restated', 'key', args[7], 'data', args[8])
                redis.call('HSET', keys[1], args[5], args[6])
                return 1
            end)
            """)

    private static let records = #"""
        -- Adds the calls that entries take parties from. True where that cannot be told: they may be about any.
        local function left(rest, about)
            for _, entry in ipairs(rest) do
                for k = 1, #entry[2], 2 do
                    local data = entry[2][k + 1]
                    if entry[2][k] == 'data' and (string.find(data, 'PreviousConnID', 1, true)
                        or string.find(data, '\\u', 1, true)) then
                        local isRead, event = false, nil
                        if #data <= 65536 then isRead, event = pcall(cjson.decode, data) end
                        if not isRead or type(event) ~= 'table' then return true end
                        local id = event.PreviousConnID
                        if type(id) == 'number' then return true end
                        if type(id) == 'string' then about[id] = true end
                    end
                end
            end
            return false
        end

        -- What lives of a call, or of an agent in the region, as JSON.
        local function record(kind, key, id, origin)
            local found = redis.pcall('HGETALL', key)
            if found.err then return nil end
            local fields, isLive, session = {}, false, 'session:' .. origin .. ':'
            for k = 1, #found, 2 do
                local name, value = found[k], found[k + 1]
                local isOwn = name == 'login:' .. origin or string.sub(name, 1, #session) == session
                if kind == 'call' or isOwn or name == 'AgentID' then fields[name] = value end
                isLive = isLive or isOwn
            end
            if kind == 'call' then
                isLive = fields.ConnID == id and fields.Region == origin and not fields.endedAt
            else
                isLive = isLive and fields.AgentID == id
            end
            return isLive and cjson.encode({[kind] = fields}) or nil
        end
        """#

    /// The field of `rs:{t}:projection` with the last request of a region that was answered.
    package static func answered(_ region: String) -> String { "answered:\(region)" }
}
