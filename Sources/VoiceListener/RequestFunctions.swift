package import Journal

/// The one write to `requests` journals.
package enum RequestFunctions {
    /// `rsv1_request journal counter [once] : request key data length age lifetime`: puts a request on the journal and
    /// answers its reference, 1 to 2^32 - 1, which goes around: the last one's is in `counter`.
    ///
    /// What was asked under `once` is remembered there for `lifetime` seconds: asked again, it is answered with the same
    /// reference and not put on the journal, and anything else is refused with `CONFLICT`. The journal, which no trimmer
    /// knows, keeps about `length` requests, none much older than `age` milliseconds.
    ///
    /// Scripts do not roll back: what may fail, the journal being no stream or the counter no string, comes first.
    package static let library = FunctionLibrary(
        name: "regionsync_requests_1",
        body: """
            redis.register_function('rsv1_request', function(keys, args)
                local digest = redis.sha1hex(#args[1] .. ' ' .. #args[2] .. ' ' .. args[1] .. args[2] .. args[3])
                if keys[3] then
                    local known = redis.call('GET', keys[3])
                    if known then
                        local reference, asked = string.match(known, '^(%d+) (%x+)$')
                        if asked == digest then return tonumber(reference) end
                        return redis.error_reply('CONFLICT something else was asked for under this key')
                    end
                end
                local last = tonumber(redis.call('GET', keys[2]) or '0') or 0
                local reference = last % 4294967295 + 1
                local text = string.format('%d', reference)
                redis.call(
                    'XADD', keys[1], 'MAXLEN', '~', args[4], '*', 'request', args[1], 'reference', text,
                    'key', args[2], 'data', args[3])
                redis.call('SET', keys[2], text)
                if keys[3] then redis.call('SET', keys[3], text .. ' ' .. digest, 'EX', args[6]) end
                local oldest = redis.call('TIME')[1] * 1000 - args[5]
                redis.call('XTRIM', keys[1], 'MINID', '~', string.format('%.0f', oldest))
                return reference
            end)
            """)

    /// The function's name.
    static let request = "rsv1_request"
}
