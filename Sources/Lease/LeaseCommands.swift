package import RESP

/// The commands on a region's lease, a string in the region's own Redis.
///
/// The key never expires: expiry goes by the server's clock, which may jump, and a `volatile-*` server may evict a key that
/// can expire. A lease must be renewed beyond `maxmemory` too, or nobody would trim.
package enum LeaseCommands {
    /// Key of the lease.
    package static let key = "rs:{_}:worker"

    /// Answers what the lease says, or nil.
    package static let look = RedisCommand("GET", key)

    /// Answers a line about a client's connection; an empty text when there is no such connection.
    package static func find(_ connection: Int64) -> RedisCommand {
        RedisCommand("CLIENT", "LIST", "ID", "\(connection)")
    }

    /// Replaces the lease if it is what was expected; answers what it says then.
    package static func exchange(_ expected: LeaseValue, for new: LeaseValue) -> RedisCommand {
        RedisCommand("EVAL", compareAndSet, "1", key, expected.text, new.text)
    }

    private static let compareAndSet = """
        #!lua flags=allow-oom
        local held = redis.call('GET', KEYS[1]) or ''
        if held ~= ARGV[1] then return held end
        redis.call('SET', KEYS[1], ARGV[2])
        return ARGV[2]
        """
}
