package import Journal
package import RESP

/// The guarded changes of state in Redis. Each compares a tenant's cursor, changes state and moves the cursor in one
/// atomic step, so a worker killed anywhere repeats nothing and leaves nothing out.
package enum ProjectionFunctions {
    /// All take the key `rs:{t}:projection`; the other keys they touch have the same hash tag.
    ///
    /// - `rsp2_provision key tenant cursor mark nextCursor nextMark group…`: puts and deletes objects when cursor and mark
    ///   are as expected, and leaves the next ones. While a transaction is half there its position and the number of the
    ///   part stand in the mark `applying`; it is empty otherwise. A group is
    ///   `objects type indexes (field u|s)… object…`, an object `bucket:d id digest dump value…` with the values of the
    ///   indexed columns, each a NUL where it is NULL; or `bucket:d id` and an empty digest for a delete. Answers `OK`, or
    ///   a sentence for each key that was replaced.
    /// - `rsp2_older key tenant type below scan count`: one step of a walk over all objects of a type; answers where the
    ///   walk goes on, `0` at its end, and the IDs of those whose version is below `below`, or of all if that is empty.
    /// - `rsp2_quarantine key quarantine cursor mark command name`: puts a name into quarantine (`SADD`) or takes it out
    ///   (`SREM`) when cursor and mark are as expected.
    /// - `rsp2_advance key expected position`: raises the cursor that trails all tenants' when it is as expected.
    /// - `rsp2_mark key expected field old new`: writes a word beside that cursor when it is as expected, or removes it where
    ///   `new` is empty; unless another than `old` stands there.
    ///
    /// A cursor or mark that differs is answered with `CURSOR <cursor>` and nothing is done. What somebody else keeps under
    /// keys of objects, indexes and digests is replaced (`ReplacedKeys.swift`). Scripts do not roll back: what may fail
    /// comes first, and what was done before it is done again without harm. Positions exceed 2^53, which Lua's numbers do
    /// not hold, so they are compared as text; digests do not. A bucket's sum is that of its objects: readers take it
    /// modulo 2^48.
    package static let library = FunctionLibrary(
        name: "regionsync_projection_2",
        body: [guards, claims, indexes, objects, functions, inspections, steps, repairs].joined(separator: "\n"))

    /// Everything that the projection calls.
    package static let libraries = [
        JournalFunctions.library, library, VoiceFunctions.library, RestateFunctions.library,
    ]

    /// Raises the provisioning cursor that trails those of all tenants.
    package static func advance(from expected: Position, to position: Position) -> RedisCommand {
        RedisCommand(
            "FCALL", "rsp2_advance", "1", ProjectionKeys.trailing, expected.description, position.description)
    }

    /// Writes a word beside that cursor, where the cursor stands here; nil removes it, if it is `old` still. Others remove
    /// it, too, when they have put right what it says.
    package static func mark(_ field: String, from old: String?, to new: String?, at cursor: Position) -> RedisCommand {
        RedisCommand(
            "FCALL", "rsp2_mark", "1", ProjectionKeys.trailing, cursor.description, field, old ?? "", new ?? "")
    }

    /// Puts an object's name into its tenant's quarantine, or takes it out.
    package static func quarantine(
        _ command: String, _ name: ProvisioningEntry.ObjectName, at cursor: TenantCursor
    ) -> RedisCommand {
        RedisCommand(
            "FCALL", "rsp2_quarantine", "2", ProjectionKeys.cursors(tenant: name.tenant),
            ProjectionKeys.quarantine(tenant: name.tenant), cursor.position.description, cursor.mark, command,
            "\(name.type):\(name.key)")
    }

    /// Cursors, and positions as text without leading zeros.
    private static let guards = """
        local function below(left, right)
            if #left ~= #right then return #left < #right end
            return left < right
        end

        local function beyond(entry, cut)
            local first, second = string.match(entry, '^(%d+)-(%d+)')
            local cutFirst, cutSecond = string.match(cut, '^(%d+)-(%d+)')
            if not first or not cutFirst then return false end
            if first ~= cutFirst then return below(cutFirst, first) end
            return below(cutSecond, second)
        end

        local function moved(state, cursor, mark)
            local found = redis.call('HMGET', state, 'provisioning', 'applying')
            local held, heldMark = found[1] or '0', found[2] or ''
            if held == cursor and heldMark == mark then return end
            return redis.error_reply('CURSOR ' .. held .. ' ' .. heldMark)
        end

        local function close(state, cursor, mark, nextCursor, nextMark)
            if nextCursor ~= cursor then redis.call('HSET', state, 'provisioning', nextCursor) end
            if nextMark ~= '' then
                redis.call('HSET', state, 'applying', nextMark)
            elseif mark ~= '' then
                redis.call('HDEL', state, 'applying')
            end
        end

        local function watches(tenant, type) return 'rs:{' .. tenant .. '}:watch:' .. type end

        local function foreign(key, kind)
            local found = redis.call('TYPE', key).ok
            if found ~= kind and found ~= 'none' then
                return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. found .. ', not a ' .. kind)
            end
        end
        """

    /// A group collects what many objects change in one key: ids, and pairs of unique indexes.
    private static let indexes = """
        local function open(tenant, args, at, replaced)
            local base = 'cfg:{' .. tenant .. '}:' .. args[at]
            local group = {
                call = redis.call, pcall = redis.pcall, ids = base, prefix = base .. ':',
                totals = 'rs:{' .. tenant .. '}:digest:' .. args[at],
                state = 'rs:{' .. tenant .. '}:projection', replaced = replaced,
                indexes = tonumber(args[at + 1]), fields = {}, by = {}, pairs = {}, added = {}, adds = 0
            }
            claim(group, group.totals, 'hash')
            claim(group, group.ids, 'set')
            local watch = watches(tenant, args[at])
            if claim(group, watch, 'hash') then group.watch = watch end
            at = at + 2
            for k = 1, group.indexes do
                group.fields[k] = args[at]
                group.by[k] = base .. ':by:' .. args[at]
                if args[at + 1] == 'u' then
                    group.pairs[k] = {}
                    claim(group, group.by[k], 'hash')
                end
                at = at + 2
            end
            group.fields[group.indexes + 1] = '_d'
            return group, at
        end

        local function member(group, k, command, value, id)
            local key = group.by[k] .. ':' .. value
            if replaces(group, group.pcall(command, key, id), key, 'set', group.by[k] .. ':*') and command == 'SADD' then
                group.call('SADD', key, id)
            end
        end

        local function unlink(group, k, value, id)
            local held = group.pairs[k]
            if not held then return member(group, k, 'SREM', value, id) end
            local holder = held[value]
            if holder == nil then holder = group.call('HGET', group.by[k], value) end
            if holder == id then held[value] = false end
        end

        local function link(group, k, value, id)
            local held = group.pairs[k]
            if held then held[value] = id else member(group, k, 'SADD', value, id) end
        end

        local function flushAdded(group)
            for from = 1, group.adds, 1000 do
                redis.call('SADD', group.ids, unpack(group.added, from, math.min(group.adds, from + 999)))
            end
            group.adds = 0
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
        end
        """

    private static let objects = """
        local function tally(group, sum, difference, objects)
            -- As an integer: Redis prints Lua's numbers with 17 digits, which costs more than the rest of the call.
            if difference ~= 0 then count(group, sum, string.format('%d', difference)) end
            if objects ~= 0 then count(group, string.sub(sum, 1, -2) .. 'n', objects) end
        end

        local function remove(group, sum, id)
            local key = group.prefix .. id
            if group.watch then group.call('HDEL', group.watch, id) end
            local old, isReplaced = fields(group, key)
            local digest = old[group.indexes + 1]
            if not digest and not isReplaced then return end
            for k = 1, group.indexes do
                if old[k] then unlink(group, k, old[k], id) end
            end
            flushAdded(group)
            group.call('SREM', group.ids, id)
            group.call('DEL', key)
            local was = held(digest)
            if was then tally(group, sum, -was, -1) end
        end

        -- A part that is applied again may have taken away a value that its object held for a moment, and that another
        -- object, which comes later and is there already, holds now. So there every object claims its values anew.
        local function put(group, args, at)
            local id, digest, indexes = args[at + 1], args[at + 2], group.indexes
            local key = group.prefix .. id
            if group.watch then group.call('HDEL', group.watch, id) end
            local old = fields(group, key)
            for k = 1, indexes do
                local was, new = old[k], args[at + 3 + k]
                if was ~= new then
                    if was then unlink(group, k, was, id) end
                    if new ~= '\\0' then link(group, k, new, id) end
                elseif group.isPart and group.pairs[k] then
                    link(group, k, new, id)
                end
            end
            group.call('RESTORE', key, '0', args[at + 3], 'REPLACE')
            local before = old[indexes + 1]
            if before == digest then return end
            local was = held(before)
            if was then
                tally(group, args[at], tonumber(digest) - was, 0)
            else
                group.adds = group.adds + 1
                group.added[group.adds] = id
                tally(group, args[at], tonumber(digest), 1)
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
        redis.register_function('rsp2_provision', function(keys, args)
            local refusal = moved(keys[1], args[2], args[3])
            if refusal then return refusal end
            local at, last, replaced = 6, #args, {}
            while at <= last do
                local objects, group = tonumber(args[at])
                group, at = open(args[1], args, at + 1, replaced)
                group.isPart = args[3] ~= '' or args[5] ~= ''
                -- What objects changed must be kept whatever stops us.
                local done, result = pcall(change, group, args, at, objects)
                flush(group)
                if not done then error(result) end
                at = result
            end
            close(keys[1], args[2], args[3], args[4], args[5])
            return #replaced > 0 and replaced or redis.status_reply('OK')
        end)

        redis.register_function{function_name = 'rsp2_older', flags = {'no-writes'}, callback = function(keys, args)
            local ids = 'cfg:{' .. args[1] .. '}:' .. args[2]
            local step = read('SSCAN', ids, args[4], 'COUNT', args[5])
            -- It holds something else, and is replaced when the type is looked at or written next.
            if not step then return {'0'} end
            local found = {step[1]}
            for _, id in ipairs(step[2]) do
                local version = args[3] ~= '' and read('HGET', ids .. ':' .. id, '_v')
                if not version or below(version, args[3]) then found[#found + 1] = id end
            end
            return found
        end}

        redis.register_function('rsp2_quarantine', function(keys, args)
            return moved(keys[1], args[1], args[2]) or redis.call(args[3], keys[2], args[4])
        end)

        redis.register_function('rsp2_advance', function(keys, args)
            local cursor = redis.call('HGET', keys[1], 'provisioning') or '0'
            if cursor ~= args[1] then return redis.error_reply('CURSOR ' .. cursor) end
            redis.call('HSET', keys[1], 'provisioning', args[2])
            return redis.status_reply('OK')
        end)

        redis.register_function('rsp2_mark', function(keys, args)
            local held = redis.call('HMGET', keys[1], 'provisioning', args[2])
            local cursor = held[1] or '0'
            if cursor ~= args[1] then return redis.error_reply('CURSOR ' .. cursor) end
            if held[2] and held[2] ~= args[3] then return redis.status_reply('OK') end
            if args[4] ~= '' then
                redis.call('HSET', keys[1], args[2], args[4])
            else
                redis.call('HDEL', keys[1], args[2])
            end
            return redis.status_reply('OK')
        end)
        """
}
