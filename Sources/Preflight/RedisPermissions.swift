internal import Journal
internal import RESP
internal import RedisClient
internal import RegionConfig

extension RedisCheck {
    /// A command the worker needs, sent so that it changes nothing: Redis looks at a user's rights before it looks at the
    /// arguments, so a refusal of the arguments is a permission.
    private struct Probe {
        let name: String
        let words: [String]
    }

    /// Gives a user everything the worker does, and nothing that is dangerous to others (`INFO` and `RESTORE` count as
    /// such; the projection writes whole objects with the latter).
    private static let rights =
        "~rs:* ~cfg:* ~call:* ~calls:* ~agent:* +@read +@write +@connection +@scripting +@transaction +@blocking "
        + "-@dangerous +info +restore +client|unblock"

    private var user: String { redis.username ?? "default" }

    var permissionRemedy: Remedy {
        .redis(
            "ACL SETUSER \(user) \(Self.rights)",
            note: "As an administrator; and the same in the ACL file, or ACL SAVE.")
    }

    /// Tries the commands of mirror and capture, and for the region's own server those of projection and lease.
    func permissions(through connection: RedisConnection) async -> Finding {
        let probes = Self.probes(role)
        let answers = await connection.pipeline(probes.map { RedisCommand(words: $0.words, runs: []) })
        var missing: [String] = []
        var failure: RedisError?
        for (probe, answer) in zip(probes, answers) {
            switch answer {
            case .failure(.server("NOPERM", _)), .failure(.server("EXECABORT", _)):  // the latter is said of EXEC
                if !missing.contains(probe.name) { missing.append(probe.name) }
            case .success, .failure(.server): break
            case .failure(let error): failure = error
            }
        }
        if let failure { return finding(.error, "permissions", "\(failure)") }
        guard missing.isEmpty else {
            return finding(
                .error, "permissions", "user \(user) may not: \(missing.joined(separator: ", "))", permissionRemedy)
        }
        return finding(.ok, "permissions", "user \(user) may do all that is needed")
    }

    private static func probes(_ role: Role) -> [Probe] {
        let region =
            switch role {
            case .own(let region), .peer(let region): region
            }
        let journal = JournalName.control(origin: region)
        var probes = [
            Probe(name: "FUNCTION LOAD", words: ["FUNCTION", "LOAD", "#!lua name=regionsync_probe\n"]),
            Probe(name: "FCALL", words: ["FCALL", "regionsync_probe", "1", journal.key]),
            Probe(name: "EVAL", words: ["EVAL", "return 1", "1", journal.key]),
            Probe(name: "XSETID", words: ["XSETID", journal.key, "x"]),
            Probe(name: "XDEL", words: ["XDEL", journal.key, "x"]),
            Probe(name: "CLIENT UNBLOCK", words: ["CLIENT", "UNBLOCK", "x"]),
            Probe(name: "XADD", words: ["XADD", journal.key, "x", "f", "v"]),
            Probe(name: "XREAD", words: ["XREAD", "COUNT", "1", "STREAMS", journal.key, "x"]),
            Probe(name: "XRANGE", words: ["XRANGE", journal.key, "x", "+"]),
            Probe(name: "XREVRANGE", words: ["XREVRANGE", journal.key, "x", "-"]),
            Probe(name: "XTRIM", words: ["XTRIM", journal.key, "MINID", "x"]),
            Probe(name: "XINFO STREAM", words: ["XINFO", "STREAM", journal.key, "x"]),
            Probe(name: "XLEN", words: ["XLEN", journal.key]),
            Probe(name: "HSET", words: ["HSET", journal.metaKey, "f", "v", "x"]),
            Probe(name: "HMGET", words: ["HMGET", journal.metaKey, "birth"]),
            Probe(name: "RENAME", words: ["RENAME", "rs:{_}:regionsync-probe", "rs:{_}:regionsync-probe"]),
            Probe(name: "HINCRBY", words: ["HINCRBY", journal.metaKey, "count", "x"]),
            Probe(name: "HGET", words: ["HGET", journal.metaKey, "birth"]),
            Probe(name: "EXISTS", words: ["EXISTS", journal.metaKey]),
            Probe(name: "HDEL", words: ["HDEL", "rs:{_}:regionsync-probe", "x"]),
            Probe(name: "DEL", words: ["DEL", "rs:{_}:regionsync-probe"]),
            Probe(name: "INFO", words: ["INFO", "server"]),
            Probe(name: "FUNCTION LIST", words: ["FUNCTION", "LIST", "LIBRARYNAME", "regionsync_probe"]),
            // Alone it is refused; together they are a transaction of nothing.
            Probe(name: "EXEC", words: ["EXEC"]),
            Probe(name: "MULTI", words: ["MULTI"]),
            Probe(name: "EXEC", words: ["EXEC"]),
        ]
        guard case .own = role else { return probes }
        for family in ["cfg:{_}", "call:{_}", "calls:{_}", "agent:{_}"] {
            probes.append(Probe(name: "keys \(family.prefix { $0 != "{" })*", words: ["EXISTS", "\(family):probe"]))
        }
        probes += [
            Probe(name: "SET", words: ["SET", "rs:{_}:worker", "x", "PX", "0"]),
            Probe(name: "RESTORE", words: ["RESTORE", "cfg:{_}:probe", "0", "x"]),
            Probe(name: "SREM", words: ["SREM", "rs:{_}:regionsync-probe", "x"]),
            Probe(name: "SMEMBERS", words: ["SMEMBERS", "rs:{_}:tenants"]),
            Probe(name: "MEMORY USAGE", words: ["MEMORY", "USAGE", journal.key]),
        ]
        return probes
    }
}
