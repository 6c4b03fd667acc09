package import RESP

/// Changes of calls, agents, cursors and what is known of regions. The functions stand in the projection's library, since
/// all change what is kept under a cursor.
///
/// - `rsp2_apply key field expected next (words word…)…`: runs commands when the cursor `field` is as expected. Where
///   the journal's region was declared down, `cut:<field>` holds the last entry that counts: a step beyond it is
///   answered with `CUT <entry>`.
/// - `rsp2_reclaim key… kind…`: deletes those of the keys that hold something of another kind; answers a sentence for
///   each.
/// - `rsp2_forget key (field value)…`: removes the fields if all of them hold what is given; answers how many went.
extension ProjectionFunctions {
    /// Deletes those of the keys around a tenant's calls and agents in whose place somebody keeps something else: nobody
    /// but the projection may write them, and it writes them anew.
    package static func reclaim(tenant: String) -> RedisCommand {
        RedisCommand(
            "FCALL", "rsp2_reclaim", "3", ProjectionKeys.cursors(tenant: tenant),
            ProjectionKeys.activeCalls(tenant: tenant), ProjectionKeys.superseded(tenant: tenant), "hash", "set", "set")
    }

    /// Removes fields of a hash if all of them hold what is given.
    static func forget(_ fields: [(String, String)], of key: String) -> RedisCommand {
        RedisCommand(["FCALL", "rsp2_forget", "1", key] + fields.flatMap { [$0.0, $0.1] })
    }

    static let steps = """
        local kinds = {HSET = 'hash', HDEL = 'hash', SADD = 'set', SREM = 'set'}

        -- The first key of another kind than the commands need.
        local function unfit(args, at)
            local last, seen = #args, {}
            while at <= last do
                local kind, key = kinds[args[at + 1]], args[at + 2]
                if not seen[key] then
                    local refusal = kind and foreign(key, kind)
                    if refusal then return refusal end
                    seen[key] = kind ~= nil or args[at + 1] == 'DEL'
                end
                at = at + tonumber(args[at]) + 1
            end
        end

        redis.register_function('rsp2_apply', function(keys, args)
            local held = redis.call('HMGET', keys[1], args[1], 'cut:' .. args[1])
            local cursor, cut = held[1] or '0', held[2]
            if cursor ~= args[2] then return redis.error_reply('CURSOR ' .. cursor) end
            if cut and beyond(args[3], cut) then return redis.error_reply('CUT ' .. cut) end
            local refusal = unfit(args, 4)
            if refusal then return refusal end
            local at, last = 4, #args
            while at <= last do
                local words = tonumber(args[at])
                redis.call(unpack(args, at + 1, at + words))
                at = at + words + 1
            end
            redis.call('HSET', keys[1], args[1], args[3])
            return redis.status_reply('OK')
        end)

        redis.register_function('rsp2_reclaim', function(keys, args)
            local gone = {}
            for i, key in ipairs(keys) do
                local found = redis.call('TYPE', key).ok
                if found ~= args[i] and found ~= 'none' then
                    redis.call('DEL', key)
                    gone[#gone + 1] = key .. ' was a ' .. found
                end
            end
            return gone
        end)

        redis.register_function('rsp2_forget', function(keys, args)
            local fields = {}
            for i = 1, #args, 2 do
                if redis.call('HGET', keys[1], args[i]) ~= args[i + 1] then return 0 end
                fields[#fields + 1] = args[i]
            end
            return redis.call('HDEL', keys[1], unpack(fields))
        end)
        """
}
