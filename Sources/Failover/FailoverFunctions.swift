package import Journal

/// The changes that a failover makes in the surviving region's Redis; each is atomic and done once.
package enum FailoverFunctions {
    /// - `rsf1_cut state meta field`: notes in `field` of a tenant's state where a copy ends now, unless it is noted
    ///   already; answers the cut. From then on the projection goes no further.
    /// - `rsf1_rejoin state meta cursor cut tail`: moves a cursor to the end of the copy and takes the cut away, where there
    ///   is one; notes the entries between in `tail` as `<cut> <entries> <end>`, and answers that note.
    /// - `rsf1_rejoined global control field region data`: appends to the control journal that the region has rejoined,
    ///   and forgets that it was declared down, where it was.
    /// - `rsf1_declare global control field history region data`: appends the declaration to the control journal and notes
    ///   it in `field`, unless it is noted for this history already; answers the note.
    /// - `rsf1_copy stream meta gap`: how a copy stands, changing nothing: `[birth|nil, last, floor, closed|nil, generated,
    ///   gap|nil, digest|nil]`, the digest that of its newest entry. What is no journal has an empty birth.
    /// - `rsf1_behind stream entry limit`: how many entries there are behind an entry, `limit` at most, and the digest of
    ///   that entry, nil where it is not there.
    /// - `rsf1_reserve key number holder seconds`: reserves a history number for a run, as `<number> <holder>`. Answers how
    ///   many seconds another run's reservation of this or a later number still lasts, and then changes nothing. Runs of
    ///   one region, `<region>/<run>`, take it over from each other: PostgreSQL decides between them.
    /// - `rsf1_unreserve key holder left`: takes a reservation away that is this run's or, where `left` is `number`, leaves
    ///   the number without a holder for the rest of its time: then any run may reserve it.
    /// - `rsf1_close state voice field expected next (event key data)…`: appends events to a voice journal when `field`
    ///   is as expected, and leaves `next` there; else answers `MOVED <field>`.
    package static let library = FunctionLibrary(
        name: "regionsync_failover_1",
        body: """
            \(JournalFunctions.generated)

            local function digest(entry) return entry and redis.sha1hex(table.concat(entry[2], '\\0')) or false end

            local function copy(keys, args)
                local state = redis.pcall('HMGET', keys[2], 'birth', 'last', 'floor', 'closed', args[1])
                local isStream, own = pcall(generated, keys[1])
                if state.err or not isStream then return {'', '0-0', '0-0', false, '0-0', false, false} end
                local newest = redis.call('XREVRANGE', keys[1], '+', '-', 'COUNT', 1)[1]
                return {
                    state[1], state[2] or '0-0', state[3] or '0-0', state[4], own or '0-0', state[5], digest(newest)
                }
            end

            redis.register_function{
                function_name = 'rsf1_copy', callback = copy, flags = {'no-writes', 'allow-oom'}
            }
            redis.register_function{
                function_name = 'rsf1_behind',
                callback = function(keys, args)
                    local behind = redis.call('XRANGE', keys[1], '(' .. args[1], '+', 'COUNT', args[2])
                    return {#behind, digest(redis.call('XRANGE', keys[1], args[1], args[1])[1])}
                end,
                flags = {'no-writes', 'allow-oom'}
            }

            redis.register_function('rsf1_cut', function(keys, args)
                local held = redis.call('HGET', keys[1], args[1])
                if held then return held end
                local meta = redis.call('HMGET', keys[2], 'last', 'count')
                local cut = (meta[1] or '0-0') .. ' ' .. (meta[2] or '0')
                redis.call('HSET', keys[1], args[1], cut)
                return cut
            end)

            redis.register_function('rsf1_rejoin', function(keys, args)
                local cut = redis.call('HGET', keys[1], args[2])
                if not cut then return false end
                local meta = redis.call('HMGET', keys[2], 'last', 'count')
                local last, count = string.match(cut, '^(%S+) (%S+)')
                local tail = last .. ' ' .. (tonumber(meta[2] or '0') - tonumber(count)) .. ' ' .. (meta[1] or '0-0')
                redis.call('HSET', keys[1], args[3], tail)
                -- The cursor of a journal that has no entry yet is not there.
                if (meta[1] or '0-0') ~= '0-0' then redis.call('HSET', keys[1], args[1], meta[1]) end
                redis.call('HDEL', keys[1], args[2])
                return tail
            end)

            redis.register_function('rsf1_rejoined', function(keys, args)
                if redis.call('HDEL', keys[1], args[1]) == 0 then return false end
                return redis.call('XADD', keys[2], '*', 'event', 'region-rejoined', 'key', args[2], 'data', args[3])
            end)

            redis.register_function('rsf1_declare', function(keys, args)
                local held = redis.call('HGET', keys[1], args[1])
                if held and string.match(held, '^(%d+) ') == args[2] then return held end
                local entry = redis.call(
                    'XADD', keys[2], '*', 'event', 'region-declared-down', 'key', args[3], 'data', args[4])
                local note = args[2] .. ' ' .. entry
                redis.call('HSET', keys[1], args[1], note)
                return note
            end)

            local function reservation(key)
                return string.match(redis.call('GET', key) or '', '^(%d+) (%S+)$')
            end

            local function isOwn(holder, run)
                local region = string.match(holder, '^(.+)/')
                return holder == run or region ~= nil and region == string.match(run, '^(.+)/')
            end

            redis.register_function('rsf1_reserve', function(keys, args)
                local number, holder = reservation(keys[1])
                if holder and not isOwn(holder, args[2]) and tonumber(number) >= tonumber(args[1]) then
                    return redis.call('TTL', keys[1])
                end
                redis.call('SET', keys[1], args[1] .. ' ' .. args[2], 'EX', args[3])
                return redis.status_reply('OK')
            end)

            redis.register_function('rsf1_unreserve', function(keys, args)
                local number, holder = reservation(keys[1])
                if holder ~= args[1] then return 0 end
                if args[2] == 'number' then
                    redis.call('SET', keys[1], number, 'KEEPTTL')
                else
                    redis.call('DEL', keys[1])
                end
                return 1
            end)

            redis.register_function('rsf1_close', function(keys, args)
                local held = redis.call('HGET', keys[1], args[1]) or ''
                if held ~= args[2] then return redis.error_reply('MOVED ' .. held) end
                for at = 4, #args, 3 do
                    redis.call('XADD', keys[2], '*', 'event', args[at], 'key', args[at + 1], 'data', args[at + 2])
                end
                redis.call('HSET', keys[1], args[1], args[3])
                return redis.status_reply('OK')
            end)
            """)
}
