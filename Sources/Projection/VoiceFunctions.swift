package import Journal

/// What the projection appends to voice journals.
///
/// Its library is not that of the guarded changes of state: each has its own version.
package enum VoiceFunctions {
    /// `rsv1_logout cursors stream meta agent… field limit (agentID sessions (field session data)…)…`: ends sessions that
    /// were lost. The keys are `rs:{t}:projection`, the journal with its meta, and the records of the agents, all of one
    /// tenant; `field` is the journal's cursor.
    ///
    /// The guard of these appends is the state itself: a session's Logout is appended when the agent's record still holds
    /// the session as given, and behind the journal's cursor stands no entry about that agent. So it is appended once,
    /// whoever asks and how often: afterwards it is such an entry, and when the cursor has passed it the session is gone.
    /// Anyone may append to the journal meanwhile; what they write about this agent is projected first.
    ///
    /// Answers for each agent how many Logouts were appended, -1 where an entry about it must be projected first. Where
    /// more than `limit` entries are behind the cursor, or where the journal is closed, missing or ends before the cursor,
    /// nothing is appended and a word says why.
    package static let library = FunctionLibrary(
        name: "regionsync_voice_1",
        body: """
            \(unread)

            redis.register_function('rsv1_logout', function(keys, args)
                local about, rest = unread(keys, args[1], tonumber(args[2]))
                if not about then return redis.status_reply(rest) end
                local answers, at = {}, 3
                for k = 4, #keys do
                    local agent, sessions, appended = args[at], tonumber(args[at + 1]), 0
                    at = at + 2
                    for _ = 1, sessions do
                        if not about[agent] and redis.pcall('HGET', keys[k], args[at]) == args[at + 1] then
                            redis.call(
                                'XADD', keys[2], '*', 'event', 'EventAgentLogout', 'key', agent, 'data', args[at + 2])
                            appended = appended + 1
                        end
                        at = at + 3
                    end
                    answers[k - 3] = about[agent] and -1 or appended
                end
                return answers
            end)
            """)

    /// Lua: what stands behind a journal's cursor, for those who append to it by what is in state.
    static let unread = """
        \(JournalFunctions.generated)

        -- Numbers of up to 64 bits, which Lua cannot hold: the longer text is the greater.
        local function less(left, right)
            if #left ~= #right then return #left < #right end
            return left < right
        end

        local function precedes(left, right)
            local first, second = string.match(left, '^(%d+)%-(%d+)$')
            local other, otherSecond = string.match(right, '^(%d+)%-(%d+)$')
            if first ~= other then return less(first, other) end
            return less(second, otherSecond)
        end

        -- The keys of the entries behind the cursor, and those entries; or nil and a word for why nothing may be appended.
        local function unread(keys, field, limit)
            local cursor = redis.call('HGET', keys[1], field) or '0-0'
            local own = generated(keys[2])
            if not own then return nil, 'MISSING' end
            if precedes(own, cursor) then return nil, 'BEFORE' end
            if redis.pcall('HGET', keys[3], 'closed') then return nil, 'CLOSED' end
            local rest = redis.call('XRANGE', keys[2], '(' .. cursor, '+', 'COUNT', limit + 1)
            if #rest > limit then return nil, 'BEHIND' end
            local about = {}
            for _, entry in ipairs(rest) do
                for k = 1, #entry[2], 2 do
                    if entry[2][k] == 'key' then about[entry[2][k + 1]] = true end
                end
            end
            return about, rest
        end
        """
}
