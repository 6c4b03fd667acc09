internal import Journal
internal import RESP

/// Keys of a cache in whose place somebody keeps something else. Nobody but the projection may write them, so it replaces
/// them and goes on; the functions stand in the projection's library.
///
/// What an object's key held is lost alone; of the set of a type's IDs, an index or the digests other objects' share is
/// lost as well, and index entries that only the lost object named are left behind. So the hash of the type's digests gets
/// a field `rebuild` in the same step, a number that no other such step gave: until a verification has written the type
/// anew, and takes the field away if it still is what it was when that began.
///
/// - `rsp2_inspect key tenant type indexes (field u|s)…`: replaces the keys of which there is one a type; answers the field
///   `rebuild` or nil, and a sentence for each key that was replaced.
/// - `rsp2_discard key tenant type id`: deletes an object's key if it is no hash; answers a sentence for each key that was
///   replaced.
///
/// A sentence names the key and what it was; of the set of an index it leaves out the value, which is a row's.
extension ProjectionFunctions {
    /// The field of a type's digests that says that the type is to be written anew.
    static let rebuildField = "rebuild"

    /// Deletes an object's key if it is no object.
    static func discard(_ name: ProvisioningEntry.ObjectName) -> RedisCommand {
        RedisCommand(
            "FCALL", "rsp2_discard", "1", ProjectionKeys.cursors(tenant: name.tenant), name.tenant, name.type, name.key)
    }

    static let claims = """
        local function read(command, key, ...)
            local found = redis.pcall(command, key, ...)
            if type(found) == 'table' and found.err then return nil end
            return found
        end

        local function held(digest)
            local number = tonumber(digest or '')
            if number and number >= 0 and number < 281474976710656 and number % 1 == 0 then return number end
        end

        local function spoil(group, sentence)
            group.replaced[#group.replaced + 1] = sentence
            redis.call('HSET', group.totals, 'rebuild', redis.call('HINCRBY', group.state, 'replaced', 1))
        end

        -- Whether there is a key of this kind; one of another is deleted.
        local function claim(group, key, kind, name)
            local found = redis.call('TYPE', key).ok
            if found == kind then return true end
            if found == 'none' then return false end
            redis.call('DEL', key)
            spoil(group, (name or key) .. ' was a ' .. found)
            return false
        end

        -- Whether a command was refused since its key is of another kind: the key is gone then.
        local function replaces(group, answer, key, kind, name)
            if type(answer) ~= 'table' or not answer.err then return false end
            if string.sub(answer.err, 1, 9) ~= 'WRONGTYPE' then error(answer) end
            claim(group, key, kind, name)
            return true
        end

        local function fields(group, key)
            local old = group.pcall('HMGET', key, unpack(group.fields))
            if old.err and replaces(group, old, key, 'hash') then return {}, true end
            return old, false
        end

        local function count(group, field, by)
            local answer = group.pcall('HINCRBY', group.totals, field, by)
            if tonumber(answer) then return end
            if not string.find(answer.err, 'integer', 1, true) and not string.find(answer.err, 'overflow', 1, true) then
                error(answer)
            end
            redis.call('HDEL', group.totals, field)
            spoil(group, group.totals .. ' ' .. field .. ' was no counter')
        end
        """

    static let inspections = """
        redis.register_function('rsp2_inspect', function(keys, args)
            local replaced = {}
            local group = open(args[1], args, 2, replaced)
            table.insert(replaced, 1, redis.call('HGET', group.totals, 'rebuild'))
            return replaced
        end)

        redis.register_function('rsp2_discard', function(keys, args)
            local replaced = {}
            local group = open(args[1], {args[2], '0'}, 1, replaced)
            claim(group, group.prefix .. args[3], 'hash')
            return replaced
        end)
        """
}
