package import RESP

// What is done about a journal whose copies do not continue it (journal.md, mirror rule 2). Everything is guarded by what
// was found before, so that a change in between is refused and looked at anew.
extension JournalFunctions {
    /// In the region of birth:
    /// - `rsj3_heal stream meta birth last gap raise floor former position shape entries…`: entries that the stream lost,
    ///   appended again behind `last`, which it must have given out last. `gap` entries before the first of them exist
    ///   nowhere and are counted as added; `raise`, if given, becomes the stream's last ID, `former` one of the journal's
    ///   former marks; `floor` and `position`, if given, are set, the position never back. Answers the last ID.
    /// - `rsj3_reborn stream meta projection birth fresh minimum peer field common parted`: gives the journal the mark `fresh`, and
    ///   notes that `birth` was one before, and `parted`, if given. No ID below `minimum`, if given, is given out any more. A local projection that stood beyond the stream, `field` of its cursors, goes back to `common`.
    ///   Answers the mark.
    ///
    /// In a peer's:
    /// - `rsj3_adopt stream meta projection birth copyBirth last count field`: gives the copy the mark `birth`. With a count
    ///   it is an empty copy of another history, which a projection has to begin with anew.
    /// - `rsj3_fork stream meta projection birth copyBirth last keep count field common cause lost floor parted`: sets the copy aside as
    ///   `<stream>:closed:<n>` with its meta, and begins a new one with the mark `birth`: of the entries up to `keep`, or
    ///   empty. It counts `count` entries, if given, else those it keeps or has trimmed. A projection that has seen more
    ///   than the `common` entries goes back to there. `lost` entries are only in the closed copy, if given, else those
    ///   that the new one does not keep. `parted`, if given, is noted before what the copy knew of former lives. Answers `n`.
    static let lineageRepair = """
        -- Numbers of up to 64 bits, which Lua cannot hold: the longer text is the greater.
        local function below(left, right)
            local a, b = string.match(left, '^%d+'), string.match(right, '^%d+')
            if a == b then a, b = string.match(left, '%d+$'), string.match(right, '%d+$') end
            if #a ~= #b then return #a < #b end
            return a < b
        end

        local function raise(stream, exists, id)
            if exists then return redis.call('XSETID', stream, id) end
            redis.call('XADD', stream, id, '', '')
            redis.call('XDEL', stream, id)
            redis.call('XSETID', stream, id, 'ENTRIESADDED', 0, 'MAXDELETEDID', '0-0')
        end

        local function rewind(projection, field, cursor, common)
            if not cursor or cursor == '0' or not below(common, cursor) then return end
            if common == '0-0' then
                redis.call('HDEL', projection, field)
            else
                redis.call('HSET', projection, field, common)
            end
        end

        local function part(meta, old, new)
            local kept, seen = {}, {}
            for pair in string.gmatch((new or '') .. ' ' .. (old or ''), '%S+ %S+') do
                if not seen[pair] and #kept < \(PartedEntries.limit) then
                    seen[pair], kept[#kept + 1] = true, pair
                end
            end
            if kept[1] then redis.call('HSET', meta, '\(PartedEntries.field)', table.concat(kept, ' ')) end
        end

        local function heal(keys, args)
            local stream, meta = keys[1], keys[2]
            local state = redis.call('HMGET', meta, 'birth', 'last', 'closed', 'position')
            if state[1] ~= args[1] then return redis.error_reply('FENCED birth') end
            if state[3] then return redis.error_reply('FENCED closed') end
            local own, added = generated(stream)
            local last = own or '0-0'
            if last ~= args[2] then return redis.error_reply('CURSOR ' .. last) end
            local refusal = wide(args[8])
            if refusal then return refusal end
            local isInStep = (state[2] or '0-0') == last
            local healed, written, failure = add(stream, args[8], args, 9)
            last = healed or last
            local exists = own or written > 0
            if not failure and args[4] ~= '' and below(last, args[4]) then
                raise(stream, exists, args[4])
                last, exists = args[4], true
            end
            if args[3] ~= '0' and exists then
                redis.call('XSETID', stream, last, 'ENTRIESADDED', (added or 0) + args[3] + written)
            end
            if args[5] ~= '' then redis.call('HSET', meta, 'floor', args[5]) end
            if args[6] ~= '' and exists then redis.call('HSET', meta, 'former:' .. args[6], last) end
            -- Only capture keeps these for a journal of its own.
            if isInStep then
                redis.call('HSET', meta, 'last', last)
                redis.call('HINCRBY', meta, 'count', written)
            end
            local old, new = state[4] or '', args[7]
            if not failure and (#new > #old or (#new == #old and new > old)) then
                redis.call('HSET', meta, 'position', new)
            end
            return failure or last
        end

        local function reborn(keys, args)
            local stream, meta, projection = keys[1], keys[2], keys[3]
            local state = redis.call('HMGET', meta, 'birth', 'closed', '\(PartedEntries.field)')
            if state[1] ~= args[1] then return redis.error_reply('FENCED birth') end
            if state[2] then return redis.error_reply('FENCED closed') end
            redis.call('HSETNX', meta, 'missed:' .. args[4], 0)
            local own = generated(stream)
            local last = own or '0-0'
            if args[3] ~= '' and below(last, args[3]) then
                local cursor = redis.call('HGET', projection, args[5])
                if cursor and cursor ~= '0' and below(last, cursor) then
                    rewind(projection, args[5], cursor, args[6])
                end
                raise(stream, own, args[3])
            end
            redis.call('HSET', meta, 'birth', args[2], 'former:' .. args[1], args[6])
            part(meta, state[3], args[7])
            return args[2]
        end

        local function adopt(keys, args)
            local meta = keys[2]
            local state = redis.call('HMGET', meta, 'birth', 'last', 'closed')
            if state[1] ~= args[2] then return redis.error_reply('FENCED birth') end
            if state[3] then return redis.error_reply('FENCED closed') end
            if (state[2] or '0-0') ~= args[3] then return redis.error_reply('CURSOR ' .. (state[2] or '0-0')) end
            if args[4] ~= '' then
                if args[5] ~= '' then redis.call('HDEL', keys[3], args[5]) end
                redis.call('HSET', meta, 'count', args[4])
            end
            redis.call('HSET', meta, 'birth', args[1])
            return args[1]
        end

        local function keep(stream, last)
            local removed = 0
            while true do
                local ids = {}
                for i, entry in ipairs(redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', 500)) do
                    ids[i] = entry[1]
                end
                if #ids == 0 then return removed end
                removed = removed + redis.call('XDEL', stream, unpack(ids))
            end
        end

        local function fork(keys, args)
            local stream, meta, projection = keys[1], keys[2], keys[3]
            local state = redis.call(
                'HMGET', meta, 'birth', 'last', 'closed', 'count', 'floor', '\(PartedEntries.field)')
            if state[1] ~= args[2] then return redis.error_reply('FENCED birth') end
            if state[3] then return redis.error_reply('FENCED closed') end
            local last = state[2] or '0-0'
            if last ~= args[3] then return redis.error_reply('CURSOR ' .. last) end
            local own, added, length = generated(stream)
            if (own or '0-0') ~= last then return redis.error_reply('FORKED ' .. (own or '0-0')) end
            -- Trimmed meanwhile: what was not found may have been there.
            if (state[5] or '0-0') ~= args[10] then return redis.error_reply('CURSOR ' .. last) end
            -- What may be forbidden comes first.
            local cursor = args[6] ~= '' and redis.call('HGET', projection, args[6])
            local n = 1
            while redis.call('EXISTS', stream .. ':closed:' .. n, stream .. ':closed:' .. n .. ':meta') > 0 do
                n = n + 1
            end
            local closed = stream .. ':closed:' .. n
            if own then redis.call('RENAME', stream, closed) end
            redis.call('RENAME', meta, closed .. ':meta')
            redis.call('HSET', closed .. ':meta', 'closed', args[8])
            local lost, count, floor = length or 0, args[5], '0-0'
            last = '0-0'
            if args[4] ~= '0-0' then
                redis.call('COPY', closed, stream)
                lost, last, floor = keep(stream, args[4]), args[4], state[5] or '0-0'
                redis.call('XSETID', stream, last, 'ENTRIESADDED', added - lost, 'MAXDELETEDID', '0-0')
                if count == '' then count = (state[4] or 0) - lost end
            end
            if args[9] ~= '' then lost = args[9] end
            redis.call(
                'HSET', meta, 'birth', args[1], 'last', last, 'count', count, 'floor', floor,
                'forked', n .. ' ' .. args[8] .. ' ' .. lost)
            part(meta, state[6], args[11])
            rewind(projection, args[6], cursor, args[7])
            return n
        end

        redis.register_function('rsj3_heal', heal)
        redis.register_function('rsj3_reborn', reborn)
        redis.register_function('rsj3_adopt', adopt)
        redis.register_function('rsj3_fork', fork)
        """

    /// Compares the `cursor` of a peer's copy with the mark `copyBirth` with the journal itself; a journal without a birth
    /// mark gets `birth`.
    package static func lineage(
        _ journal: JournalName, birth: String, cursor: EntryID, peer: String, copyBirth: String
    ) -> RedisCommand {
        // A gap stops provisioning, so that it is worth more to know there.
        let limit = journal.topic == .provisioning ? 1000 : 16
        return RedisCommand(
            "FCALL", "rsj3_lineage", "2", journal.key, journal.metaKey, birth, cursor.description, peer, "\(limit)",
            copyBirth)
    }

    /// Entries that the journal in its region of birth has lost, as a peer's copy has them.
    package static func heal(_ journal: JournalName, with healing: Healing, entries: EntryBatch?) -> RedisCommand {
        let position = journal.topic == .provisioning ? entries?.closingPosition : nil
        return RedisCommand(
            [
                "FCALL", "rsj3_heal", "2", journal.key, journal.metaKey, healing.birth,
                healing.behind.description, "\(healing.gap)", healing.raise?.description ?? "",
                healing.floor?.description ?? "", healing.former ?? "", position?.description ?? "",
                entries?.shape.text ?? "",
            ], entries?.strings ?? BulkStrings())
    }

    /// Prepares the journal for that a copy at `peer` is set aside. `fresh` is a mark never drawn before.
    package static func reborn(
        _ journal: JournalName, _ rebirth: Rebirth, fresh: String, peer: String
    ) -> RedisCommand {
        RedisCommand(
            "FCALL", "rsj3_reborn", "3", journal.key, journal.metaKey, journal.projectionKey, rebirth.birth,
            fresh, rebirth.minimum?.description ?? "", peer,
            journal.projectionField ?? "", rebirth.common.description, rebirth.parted?.description ?? "")
    }

    package static func adopt(_ journal: JournalName, _ adoption: Adoption) -> RedisCommand {
        RedisCommand(
            "FCALL", "rsj3_adopt", "3", journal.key, journal.metaKey, journal.projectionKey, adoption.birth,
            adoption.copyBirth, adoption.last.description, adoption.count.map { "\($0)" } ?? "",
            journal.projectionField ?? "")
    }

    package static func fork(_ journal: JournalName, _ fork: Fork, birth: String) -> RedisCommand {
        RedisCommand(
            "FCALL", "rsj3_fork", "3", journal.key, journal.metaKey, journal.projectionKey, birth, fork.copyBirth,
            fork.last.description, fork.keep.description, fork.count.map { "\($0)" } ?? "",
            journal.projectionField ?? "", fork.common.description, fork.cause, fork.lost.map { "\($0)" } ?? "",
            fork.floor.description, fork.parted?.description ?? "")
    }

    /// Notes that somebody was told of the fork number `number`.
    package static func tell(_ number: Int, of journal: JournalName) -> RedisCommand {
        RedisCommand("HSET", journal.metaKey, "told", "\(number)")
    }

    /// Forgets a fork whose closed copy is gone.
    package static func forgetFork(of journal: JournalName) -> RedisCommand {
        RedisCommand("HDEL", journal.metaKey, "forked", "told")
    }
}

extension JournalName {
    /// The key of a copy that was closed as number `number` after a fork; its meta stands beside it as a journal's does.
    package func closedKey(_ number: Int) -> String { "\(key):closed:\(number)" }

    /// Where the projection of the same Redis keeps its cursors, in the same slot.
    fileprivate var projectionKey: String { "rs:{\(tenant)}:projection" }

    /// The cursor of this journal there; nil for journals whose cursor is a position, which no fork turns back.
    fileprivate var projectionField: String? { topic == .voice ? "voice:\(origin)" : nil }
}
