/// Changes of a cache that no journal brings: what was proven to differ from PostgreSQL is put right. The functions stand
/// in the projection's library, since both change the same keys.
///
/// - `rsp2_watch key tenant type token id…`: watches objects; answers the digest of each, or nil. A projection that
///   changes or deletes a watched object ends its watch, whatever the object becomes.
/// - `rsp2_release key tenant type token id…`: ends watches; answers 1 for each that went on with this token, else 0.
/// - `rsp2_mend key tenant token group…`: groups are those of `rsp2_provision`. Each object whose watch still has this
///   token is made as it is given, with its place among the IDs, its index entries and its share of its bucket, whatever
///   was there before, and its watch ends; answers 1 for it, and 0 for the others, which are left alone.
/// - `rsp2_recount key tenant type bucket n d id…`: sets a bucket's counters to what these objects amount to, if the
///   counters are still `n` and `d`; answers the counters, or nothing.
/// - `rsp2_unindex key tenant type field u|s value id`: removes an index entry if its object does not have that value.
///
/// Watches end by themselves after five minutes: one that is forgotten keeps nothing from being projected.
extension ProjectionFunctions {
    static let repairs = """
        local function read(command, key, ...)
            local found = redis.pcall(command, key, ...)
            if type(found) == 'table' and found.err then return nil end
            return found
        end

        local function held(digest)
            local number = tonumber(digest or '')
            if number and number >= 0 and number < 281474976710656 and number % 1 == 0 then return number end
        end

        local function mend(group, args, at)
            local sum, id, digest = args[at], args[at + 1], args[at + 2]
            local key = group.prefix .. id
            local old = read('HMGET', key, unpack(group.fields)) or {}
            for k = 1, group.indexes do
                local new = digest ~= '' and args[at + 3 + k] or '\\0'
                if old[k] and old[k] ~= new then unlink(group, k, old[k], id) end
                if new ~= '\\0' then link(group, k, new, id) end
            end
            local was, now = held(old[group.indexes + 1]), 0
            redis.call('DEL', key)
            if digest == '' then
                redis.call('SREM', group.ids, id)
            else
                redis.call('RESTORE', key, '0', args[at + 3])
                redis.call('SADD', group.ids, id)
                now = tonumber(digest)
            end
            tally(group, sum, now - (was or 0), (digest ~= '' and 1 or 0) - (was and 1 or 0))
        end

        redis.register_function('rsp2_watch', function(keys, args)
            local watch, prefix = watches(args[1], args[2]), 'cfg:{' .. args[1] .. '}:' .. args[2] .. ':'
            local digests = {}
            for i = 4, #args do
                redis.call('HSET', watch, args[i], args[3])
                digests[i - 3] = read('HGET', prefix .. args[i], '_d') or false
            end
            redis.call('PEXPIRE', watch, 300000)
            return digests
        end)

        redis.register_function('rsp2_release', function(keys, args)
            local watch, released = watches(args[1], args[2]), {}
            for i = 4, #args do
                local isOurs = redis.call('HGET', watch, args[i]) == args[3]
                if isOurs then redis.call('HDEL', watch, args[i]) end
                released[i - 3] = isOurs and 1 or 0
            end
            return released
        end)

        redis.register_function('rsp2_mend', function(keys, args)
            local at, last, mended = 3, #args, {}
            while at <= last do
                local objects, type = tonumber(args[at]), args[at + 1]
                local refusal, group
                refusal, group, at = open(args[1], args, at + 1)
                if refusal then return refusal end
                local watch, quarantine = watches(args[1], type), 'rs:{' .. args[1] .. '}:quarantine'
                for _ = 1, objects do
                    local id, isGone = args[at + 1], args[at + 2] == ''
                    local isOurs = redis.call('HGET', watch, id) == args[2]
                    if isOurs then
                        mend(group, args, at)
                        redis.call('HDEL', watch, id)
                        redis.call('SREM', quarantine, type .. ':' .. id)
                    end
                    mended[#mended + 1] = isOurs and 1 or 0
                    at = at + (isGone and 3 or 4 + group.indexes)
                end
                flush(group)
            end
            return mended
        end)

        redis.register_function('rsp2_recount', function(keys, args)
            local totals = 'rs:{' .. args[1] .. '}:digest:' .. args[2]
            local n, d = args[3] .. ':n', args[3] .. ':d'
            local found = redis.call('HMGET', totals, n, d)
            if (found[1] or '0') ~= args[4] or (found[2] or '0') ~= args[5] then return false end
            redis.call('HSET', totals, n, '0', d, '0')
            for i = 6, #args do
                local digest = held(read('HGET', 'cfg:{' .. args[1] .. '}:' .. args[2] .. ':' .. args[i], '_d'))
                if digest then
                    redis.call('HINCRBY', totals, n, 1)
                    redis.call('HINCRBY', totals, d, digest)
                end
            end
            return redis.call('HMGET', totals, n, d)
        end)

        redis.register_function('rsp2_unindex', function(keys, args)
            local base = 'cfg:{' .. args[1] .. '}:' .. args[2] .. ':'
            local by, value, id = base .. 'by:' .. args[3], args[5], args[6]
            if read('HGET', base .. id, args[3]) == value then return 0 end
            if args[4] == 's' then return redis.call('SREM', by .. ':' .. value, id) end
            if redis.call('HGET', by, value) ~= id then return 0 end
            return redis.call('HDEL', by, value)
        end)
        """
}
