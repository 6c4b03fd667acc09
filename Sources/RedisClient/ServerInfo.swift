internal import RESP

/// The fields of an answer to `INFO`, and what must be known of a server before journals are entrusted to it.
package struct ServerInfo: Sendable {
    private var fields: [Substring: Substring] = [:]

    /// Takes the answer; one that is no text has no fields.
    package init(_ reply: RedisReply) {
        for line in (reply.string ?? "").split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { fields[parts[0]] = parts[1] }
        }
    }

    /// The default sections, through an open connection.
    package static func ask(_ connection: RedisConnection) async throws(RedisError) -> ServerInfo {
        ServerInfo(try await connection.send(RedisCommand("INFO")))
    }

    package subscript(name: Substring) -> String? { fields[name].map { String($0) } }

    /// `7.2.4`; of Redis' own numbering.
    package var version: String { self["redis_version"] ?? "of an unknown version" }

    /// Whether it has functions: from 7.0 on.
    package var hasFunctions: Bool { Int(version.prefix { $0 != "." }).map { $0 >= 7 } ?? false }

    package var evictionPolicy: String { self["maxmemory_policy"] ?? "unknown" }

    /// Whether it may throw journals away when memory runs short (journal.md, mirror rule 10).
    package var mayEvict: Bool { !(evictionPolicy == "noeviction" || evictionPolicy.hasPrefix("volatile-")) }

    /// What mends a policy that may evict, in words.
    package static let evictionAdvice =
        "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf"
}
