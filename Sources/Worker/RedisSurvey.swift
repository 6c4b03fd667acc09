internal import RESP
internal import RedisClient

/// What must be known of a Redis server before journals are entrusted to it.
struct RedisSurvey: Sendable {
    let version: String
    let evictionPolicy: String

    /// Whether the server may throw journals away when memory runs short (journal.md, mirror rule 10).
    var mayEvict: Bool { !(evictionPolicy == "noeviction" || evictionPolicy.hasPrefix("volatile-")) }

    /// The command that mends a policy which may evict.
    static let advice = "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf"

    /// Asks a server through an open connection.
    static func ask(_ connection: RedisConnection) async throws(RedisError) -> RedisSurvey {
        let server = InfoFields(try await connection.send(RedisCommand("INFO", "server")))
        let memory = InfoFields(try await connection.send(RedisCommand("INFO", "memory")))
        return RedisSurvey(
            version: server["redis_version"] ?? "", evictionPolicy: memory["maxmemory_policy"] ?? "unknown")
    }
}

/// The fields of an answer to `INFO`.
struct InfoFields: Sendable {
    private var fields: [Substring: Substring] = [:]

    init(_ reply: RedisReply) {
        for line in (reply.string ?? "").split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { fields[parts[0]] = parts[1] }
        }
    }

    subscript(name: Substring) -> String? { fields[name].map { String($0) } }
}
