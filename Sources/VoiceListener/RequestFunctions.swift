package import Journal
internal import Projection
internal import RESP

/// What clients write through the voice port, once where they say so.
package enum RequestFunctions {
    /// `rsv2_request journal counter [once] : request key data length age lifetime`: puts a request on the journal and
    /// answers its reference, 1 to 2^32 - 1, by `nextReference`: the last one's is in `counter`.
    ///
    /// What was asked under `once` is remembered there for `lifetime` seconds: asked again, it is answered with the same
    /// reference and not put on the journal, and anything else is refused with `CONFLICT`. The journal, which no trimmer
    /// knows, keeps about `length` requests, none much older than `age` milliseconds.
    ///
    /// `rsv2_append journal once : lifetime field value …` appends an event and answers its ID, by the same rule for what
    /// was asked under `once`.
    ///
    /// Scripts do not roll back: what may fail, the journal being no stream or the counter no string, comes first.
    package static let library = FunctionLibrary(
        name: "regionsync_requests_2",
        body: """
            -- What was asked for under a key that is taken was answered with: nil if it was something else.
            local function answered(known, digest)
                local answer, asked = string.match(known, '^(%S+) (%x+)$')
                return asked == digest and answer or nil
            end

            \(nextReference)

            local function conflict()
                return redis.error_reply('CONFLICT something else was asked for under this key')
            end

            redis.register_function('rsv2_request', function(keys, args)
                local digest = redis.sha1hex(#args[1] .. ' ' .. #args[2] .. ' ' .. args[1] .. args[2] .. args[3])
                local known = keys[3] and redis.call('GET', keys[3])
                if known then return tonumber(answered(known, digest)) or conflict() end
                local time = redis.call('TIME')
                local reference = next_reference(
                    tonumber(redis.call('GET', keys[2]) or ''), time[1] * 100 + math.floor(time[2] / 10000))
                local text = string.format('%d', reference)
                redis.call(
                    'XADD', keys[1], 'MAXLEN', '~', args[4], '*', 'request', args[1], 'reference', text,
                    'key', args[2], 'data', args[3])
                redis.call('SET', keys[2], text)
                if keys[3] then redis.call('SET', keys[3], text .. ' ' .. digest, 'EX', args[6]) end
                local oldest = time[1] * 1000 - args[5]
                redis.call('XTRIM', keys[1], 'MINID', '~', string.format('%.0f', oldest))
                return reference
            end)

            redis.register_function('rsv2_append', function(keys, args)
                local words = {'event'}
                for i = 2, #args do words[i] = #args[i] .. ' ' .. args[i] end
                local digest = redis.sha1hex(table.concat(words))
                local known = redis.call('GET', keys[2])
                if known then return answered(known, digest) or conflict() end
                local id = redis.call('XADD', keys[1], '*', unpack(args, 2))
                redis.call('SET', keys[2], id .. ' ' .. digest, 'EX', args[1])
                return id
            end)
            """)

    /// Lua: the reference behind the last one, or behind the clock, in hundredths of a second, where that is ahead of it or
    /// there is no last one. The counter goes with the rest of a Redis that loses its tail or is emptied, and the clock does
    /// not: what was given out then is not given out again unless more than a hundred a second were. References go around,
    /// none is 0; ahead is what is less than half the way around further.
    static let nextReference = """
        local function next_reference(last, now)
            local base = now % 4294967295
            if last and (base - last) % 4294967295 >= 2147483648 then base = last % 4294967295 end
            return base + 1
        end
        """

    /// The functions' names.
    static let request = "rsv2_request"
    static let append = "rsv2_append"
}

extension ProjectionStore {
    /// The answer to a command that calls a function, which is sent again with the library where the server has lost that.
    func answer(to command: RedisCommand, of library: FunctionLibrary) async throws(StoreFailure) -> StoreReply? {
        try await answers(to: command, then: [], of: library).first?.get()
    }

    /// The same, and the answers to what is asked behind it.
    func answers(
        to command: RedisCommand, then others: [RedisCommand], of library: FunctionLibrary
    ) async -> [Result<StoreReply, StoreFailure>] {
        let commands = [command] + others
        let answers = await run(commands)
        guard case .failure(let failure)? = answers.first, failure.isFunctionMissing else { return answers }
        return Array(await run([library.loadCommand] + commands).dropFirst())
    }
}
