package import Journal
package import RESP

/// The guarded changes of state in Redis. Each compares a tenant's cursor, changes state and moves the cursor in one
/// atomic step, so a worker killed anywhere repeats nothing and leaves nothing out.
package enum ProjectionFunctions {
    /// All take the key `rs:{t}:projection`; the other keys they touch have the same hash tag.
    ///
    /// - `rsp1_provision key tenant expected next mark group…`: puts and deletes objects. `next` is the cursor
    ///   afterwards; where more of the transaction follows `next` is empty and `mark` is its position, which stands in
    ///   `applying` until a call moves the cursor. A group is `objects type indexes (field u|s)… object…`, an object
    ///   `bucket id digest dump value…` with the values of the indexed columns, each a NUL where it is NULL; or
    ///   `bucket id` and an empty digest for a delete.
    /// - `rsp1_older key tenant type below scan count`: one step of a walk over all objects of a type; answers where the
    ///   walk goes on, `0` at its end, and the IDs of those whose version is below `below`, or of all if that is empty.
    /// - `rsp1_apply key field expected next (words word…)…`: runs commands when the cursor `field` is as expected.
    /// - `rsp1_advance key position`: raises the cursor that trails all tenants'; never lowers it.
    ///
    /// A cursor that differs is answered with `CURSOR <cursor>` and nothing is done. Positions exceed 2^53, which Lua's
    /// numbers do not hold, so they are compared as text; digests do not, and are summed modulo 2^48.
    package static let library = FunctionLibrary(
        name: "regionsync_projection_1", body: [guards, indexes, objects, functions].joined(separator: "\n"))

    /// Raises the provisioning cursor that trails those of all tenants.
    package static func advance(to position: Position) -> RedisCommand {
        RedisCommand("FCALL", "rsp1_advance", "1", ProjectionKeys.trailing, position.description)
    }

    /// Cursors, and positions as text without leading zeros.
    private static let guards = """
        local function moved(state, field, expected)
            local found = redis.call('HMGET', state, field, 'applying')
            local cursor = found[1] or '0'
            if cursor ~= expected then return redis.error_reply('CURSOR ' .. cursor) end
            return nil, found[2]
        end

        local function below(left, right)
            if #left ~= #right then return #left < #right end
            return left < right
        end

        local function close(state, nextCursor, mark, applying)
            if mark ~= '' then
                if mark ~= applying then redis.call('HSET', state, 'applying', mark) end
            else
                redis.call('HSET', state, 'provisioning', nextCursor)
                if applying then redis.call('HDEL', state, 'applying') end
            end
        end
        """

    /// A group collects what many objects change in one key: ids, pairs of unique indexes, counts and digests.
    private static let indexes = """
        local function open(tenant, args, at)
            local base = 'cfg:{' .. tenant .. '}:' .. args[at]
            local group = {
                ids = base, prefix = base .. ':', totals = 'rs:{' .. tenant .. '}:digest:' .. args[at],
                indexes = tonumber(args[at + 1]), fields = {}, by = {}, pairs = {}, added = {}, adds = 0,
                counts = {}, sums = {}
            }
            at = at + 2
            for k = 1, group.indexes do
                group.fields[k] = args[at]
                group.by[k] = base .. ':by:' .. args[at]
                group.pairs[k] = args[at + 1] == 'u' and {}
                at = at + 2
            end
            group.fields[group.indexes + 1] = '_d'
            return group, at
        end

        local function unlink(group, k, value, id)
            local held = group.pairs[k]
            if not held then
                redis.call('SREM', group.by[k] .. ':' .. value, id)
                return
            end
            local holder = held[value]
            if holder == nil then holder = redis.call('HGET', group.by[k], value) end
            if holder == id then held[value] = false end
        end

        local function link(group, k, value, id)
            local held = group.pairs[k]
            if held then held[value] = id else redis.call('SADD', group.by[k] .. ':' .. value, id) end
        end

        local function flushAdded(group)
            for from = 1, group.adds, 1000 do
                redis.call('SADD', group.ids, unpack(group.added, from, math.min(group.adds, from + 999)))
            end
            group.adds = 0
        end

        local function flushTotals(group)
            local fields, n = {}, 0
            for bucket in pairs(group.counts) do
                fields[n + 1], fields[n + 2] = bucket .. ':n', bucket .. ':d'
                n = n + 2
            end
            for from = 1, n, 1000 do
                local to = math.min(n, from + 999)
                local old = redis.call('HMGET', group.totals, unpack(fields, from, to))
                local words = {}
                for at = from, to, 2 do
                    local bucket, place = string.sub(fields[at], 1, -3), at - from + 1
                    local count = (tonumber(old[place]) or 0) + group.counts[bucket]
                    local sum = ((tonumber(old[place + 1]) or 0) + group.sums[bucket]) % 281474976710656
                    local word = 2 * place - 1
                    words[word], words[word + 1] = fields[at], string.format('%d', count)
                    words[word + 2], words[word + 3] = fields[at + 1], string.format('%d', sum)
                end
                redis.call('HSET', group.totals, unpack(words))
            end
        end

        local function flush(group)
            flushAdded(group)
            for k = 1, group.indexes do
                local words, n, gone, m = {}, 0, {}, 0
                for value, id in pairs(group.pairs[k] or {}) do
                    if id then
                        words[n + 1], words[n + 2] = value, id
                        n = n + 2
                    else
                        m = m + 1
                        gone[m] = value
                    end
                end
                for from = 1, n, 1000 do
                    redis.call('HSET', group.by[k], unpack(words, from, math.min(n, from + 999)))
                end
                for from = 1, m, 1000 do
                    redis.call('HDEL', group.by[k], unpack(gone, from, math.min(m, from + 999)))
                end
            end
            flushTotals(group)
        end
        """

    private static let objects = """
        local function tally(group, bucket, count, digest)
            group.counts[bucket] = (group.counts[bucket] or 0) + count
            group.sums[bucket] = ((group.sums[bucket] or 0) + digest) % 281474976710656
        end

        local function remove(group, bucket, id)
            local key = group.prefix .. id
            local old = redis.call('HMGET', key, unpack(group.fields))
            local digest = old[group.indexes + 1]
            if not digest then return end
            redis.call('DEL', key)
            flushAdded(group)
            redis.call('SREM', group.ids, id)
            for k = 1, group.indexes do
                if old[k] then unlink(group, k, old[k], id) end
            end
            tally(group, bucket, -1, -tonumber(digest))
        end

        local function put(group, args, at)
            local bucket, id, sum = args[at], args[at + 1], tonumber(args[at + 2])
            local key = group.prefix .. id
            local old = redis.call('HMGET', key, unpack(group.fields))
            local digest = old[group.indexes + 1]
            redis.call('RESTORE', key, '0', args[at + 3], 'REPLACE')
            if digest then
                tally(group, bucket, 0, sum - tonumber(digest))
            else
                group.adds = group.adds + 1
                group.added[group.adds] = id
                tally(group, bucket, 1, sum)
            end
            for k = 1, group.indexes do
                local was, new = old[k], args[at + 3 + k]
                if new == '\\0' then new = false end
                if was ~= new then
                    if was then unlink(group, k, was, id) end
                    if new then link(group, k, new, id) end
                end
            end
        end

        local function change(group, args, at, objects)
            for _ = 1, objects do
                if args[at + 2] == '' then
                    remove(group, args[at], args[at + 1])
                    at = at + 3
                else
                    put(group, args, at)
                    at = at + 4 + group.indexes
                end
            end
            return at
        end
        """

    private static let functions = """
        redis.register_function('rsp1_provision', function(keys, args)
            local refusal, applying = moved(keys[1], 'provisioning', args[2])
            if refusal then return refusal end
            local at, last = 5, #args
            while at <= last do
                local objects, group = tonumber(args[at]), nil
                group, at = open(args[1], args, at + 1)
                -- What objects changed must be counted also when a foreign key of another kind stops us.
                local done, result = pcall(change, group, args, at, objects)
                flush(group)
                if not done then error(result) end
                at = result
            end
            close(keys[1], args[3], args[4], applying)
            return redis.status_reply('OK')
        end)

        redis.register_function{function_name = 'rsp1_older', flags = {'no-writes'}, callback = function(keys, args)
            local ids = 'cfg:{' .. args[1] .. '}:' .. args[2]
            local step = redis.call('SSCAN', ids, args[4], 'COUNT', args[5])
            local found = {step[1]}
            for _, id in ipairs(step[2]) do
                local version = args[3] ~= '' and redis.call('HGET', ids .. ':' .. id, '_v')
                if not version or below(version, args[3]) then found[#found + 1] = id end
            end
            return found
        end}

        redis.register_function('rsp1_apply', function(keys, args)
            local refusal = moved(keys[1], args[1], args[2])
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

        redis.register_function('rsp1_advance', function(keys, args)
            local cursor = redis.call('HGET', keys[1], 'provisioning') or '0'
            if below(cursor, args[1]) then
                redis.call('HSET', keys[1], 'provisioning', args[1])
                return args[1]
            end
            return cursor
        end)
        """
}
