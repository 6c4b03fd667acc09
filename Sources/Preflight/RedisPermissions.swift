internal import Journal
internal import Lease
internal import RESP
internal import RedisClient
internal import RegionConfig
internal import VoiceListener

extension RedisCheck {
    /// A command the worker sends, or its functions call with the worker's rights.
    private struct Probe {
        let words: [String]

        init(_ words: String...) { self.words = words }

        /// `XADD`, `CLIENT UNBLOCK`.
        var name: String {
            let hasPart = ["FUNCTION", "CLIENT", "MEMORY", "XINFO", "XGROUP"].contains(words[0])
            return words.prefix(hasPart ? 2 : 1).joined(separator: " ")
        }

        /// The first key.
        var key: String? { words.first { $0.contains(":{") } }
    }

    /// Gives a user everything the worker does, and nothing that is dangerous to others (`INFO` and `RESTORE` count as
    /// such; the projection writes whole objects with the latter).
    private static let rights =
        "~rs:* ~cfg:* ~call:* ~calls:* ~agent:* +@read +@write +@connection +@scripting +@transaction +@blocking "
        + "-@dangerous +info +restore +time +client|unblock +client|list +subscribe &__redis__:invalidate"

    private var user: String { redis.username ?? "default" }

    var permissionRemedy: Remedy {
        .redis(
            "ACL SETUSER \(user) \(Self.rights)",
            note: "As an administrator; and the same in the ACL file, or ACL SAVE.")
    }

    /// Tries the commands of mirror and capture, and for the region's own server those of the projection.
    func permissions(through connection: RedisConnection) async -> Finding {
        do {
            let missing = try await missingRights(through: connection)
            guard missing.isEmpty else {
                return finding(
                    .error, "permissions", "user \(user) may not: \(missing.joined(separator: ", "))",
                    permissionRemedy)
            }
            return finding(.ok, "permissions", "user \(user) may do all that is needed")
        } catch {
            return finding(.error, "permissions", "\(error)")
        }
    }

    /// Commands, and keys as `keys <key>`, that the user may not use.
    ///
    /// Commands are queued in a transaction and given up: Redis looks at a user's rights when it queues, and carries out
    /// nothing. EXEC is tried before; without MULTI nothing else can be.
    private func missingRights(through connection: RedisConnection) async throws(RedisError) -> [String] {
        var missing: [String] = []
        do throws(RedisError) {
            _ = try await connection.send(RedisCommand("EXEC"))
        } catch .server(_, let message) {
            // "EXECABORT Transaction discarded because of: NOPERM …"; "ERR EXEC without MULTI" is a right.
            if message.contains("NOPERM") { missing.append("EXEC") }
        }
        do throws(RedisError) {
            _ = try await connection.send(RedisCommand("MULTI"))
        } catch .server("NOPERM", _) {
            return missing + ["MULTI"]
        }
        let probes = probes
        let commands = (probes + [Probe("DISCARD")]).map { RedisCommand(words: $0.words, runs: []) }
        let answers = await connection.pipeline(commands)
        for (probe, answer) in zip(probes, answers) {
            switch answer {
            case .failure(.server("NOPERM", let message)):
                // "… no permissions to run the 'xadd' command"; else it is a key or channel that may not be accessed.
                let name =
                    if message.contains("to run the '") {
                        probe.name
                    } else if message.contains("channels") {
                        "channel \(probe.words[1])"
                    } else {
                        "keys \(probe.key ?? probe.name)"
                    }
                if !missing.contains(name) { missing.append(name) }
            case .success, .failure(.server): break
            case .failure(let error): throw error
            }
        }
        return missing
    }

    private var probes: [Probe] {
        switch role {
        case .own(let region, let servesVoice):
            Self.journals(of: region).flatMap(Self.journalProbes) + Self.connectionProbes
                + [Probe("GET", knockKey(from: "probe"))] + Self.projectionProbes + Self.leaseProbes
                + Self.roleProbes(of: region) + Self.trackingProbes + Self.clientProbes(of: region)
                + (servesVoice ? Self.groupProbes(of: .voice(tenant: "1", origin: region)) : [])
        case .peer(_, let writer):
            Self.journals(of: writer).flatMap(Self.journalProbes) + Self.connectionProbes
                + [Probe("SET", knockKey(from: writer), "1 0")]
        }
    }

    /// One of each topic that is mirrored; any tenant's key is as good as another's.
    private static func journals(of region: String) -> [JournalName] {
        [.voice(tenant: "1", origin: region), .control(origin: region), .provisioning(origin: region)]
    }

    /// What the mirror, capture and the journals' functions do with a journal.
    private static func journalProbes(_ journal: JournalName) -> [Probe] {
        let (key, meta) = (journal.key, journal.metaKey)
        return [
            Probe("FCALL", "regionsync_probe", "2", key, meta), Probe("EVAL", "return 1", "2", key, meta),
            Probe("XADD", key, "*", "f", "v"), Probe("XDEL", key, "1-0"), Probe("XLEN", key),
            Probe("XSETID", key, "1-0"), Probe("XTRIM", key, "MINID", "1-0"), Probe("XINFO", "STREAM", key),
            Probe("XRANGE", key, "-", "+"), Probe("XREVRANGE", key, "+", "-"),
            Probe("XREAD", "BLOCK", "1", "STREAMS", key, "$"), Probe("EXISTS", meta), Probe("HDEL", meta, "f"),
            Probe("HGET", meta, "f"), Probe("HINCRBY", meta, "f", "1"), Probe("HMGET", meta, "f"),
            Probe("HSET", meta, "f", "v"), Probe("HSETNX", meta, "f", "v"), Probe("DEL", key),
            Probe("MEMORY", "USAGE", key), Probe("HEXISTS", meta, "f"), Probe("RENAME", key, journal.closedKey(1)),
            Probe("COPY", key, journal.closedKey(1)),
        ] + rewindProbes(journal)
    }

    /// A fork turns the projection's cursor back, where the journal's own IDs are its cursor.
    private static func rewindProbes(_ journal: JournalName) -> [Probe] {
        guard journal.topic == .voice else { return [] }
        let key = "rs:{\(journal.tenant)}:projection"
        return [Probe("HGET", key, "f"), Probe("HSET", key, "f", "v"), Probe("HDEL", key, "f")]
    }

    private static let connectionProbes = [
        Probe("FUNCTION", "LOAD", "#!lua name=regionsync_probe\n"), Probe("CLIENT", "UNBLOCK", "1"),
        Probe("INFO"), Probe("PING"),
    ]

    /// What keeps the memory of the provisioning port fresh.
    private static let trackingProbes = [
        Probe("CLIENT", "TRACKING", "ON", "REDIRECT", "1", "OPTIN"), Probe("CLIENT", "CACHING", "YES"),
        Probe("SUBSCRIBE", "__redis__:invalidate"),
    ]

    /// What clients write through the voice port besides journals.
    private static func clientProbes(of region: String) -> [Probe] {
        let requests = RequestJournal.name(tenant: "1", region: region).key
        let counter = RequestJournal.counterKey(tenant: "1", region: region)
        let once = OnceMemory.key("probe", of: "probe", tenant: "1", region: region)
        return [
            Probe("FCALL", "regionsync_probe", "3", requests, counter, once), Probe("XADD", requests, "*", "f", "v"),
            Probe("XTRIM", requests, "MINID", "1-0"), Probe("GET", counter), Probe("SET", counter, "1"),
            Probe("GET", once), Probe("SET", once, "v", "EX", "1"),
        ]
    }

    /// What clients do with consumer groups.
    private static func groupProbes(of journal: JournalName) -> [Probe] {
        let key = journal.key
        return [
            Probe("XGROUP", "CREATE", key, "g", "$"), Probe("XGROUP", "CREATECONSUMER", key, "g", "c"),
            Probe("XGROUP", "SETID", key, "g", "$"), Probe("XGROUP", "DELCONSUMER", key, "g", "c"),
            Probe("XGROUP", "DESTROY", key, "g"), Probe("XREADGROUP", "GROUP", "g", "c", "STREAMS", key, ">"),
            Probe("XACK", key, "g", "1-0"), Probe("XPENDING", key, "g"), Probe("XCLAIM", key, "g", "c", "0", "1-0"),
            Probe("XAUTOCLAIM", key, "g", "c", "0", "0-0"), Probe("XINFO", "GROUPS", key),
            Probe("XINFO", "CONSUMERS", key, "g"),
        ]
    }

    /// What several workers of the region agree by.
    private static let leaseProbes = [
        Probe("EVAL", "return 1", "1", LeaseCommands.key), Probe("GET", LeaseCommands.key),
        Probe("SET", LeaseCommands.key, "v"), Probe("CLIENT", "LIST", "ID", "1"),
    ]

    /// What capture notes of its runs.
    private static func roleProbes(of region: String) -> [Probe] {
        let key = capturingKey(of: region)
        return [
            Probe("EVAL", "return 1", "1", key), Probe("HSET", key, "f", "v"), Probe("HGETALL", key),
            Probe("HDEL", key, "f"),
        ]
    }

    /// What the projection and its functions do with their own keys and with what they project.
    private static let projectionProbes =
        [
            "rs:{1}:projection", "rs:{1}:quarantine", "rs:{1}:superseded", "rs:{1}:digest:probe", "rs:{1}:watch:probe",
            "rs:{_}:projection", tenantsKey,
        ].flatMap { [Probe("HDEL", $0, "f"), Probe("HINCRBY", $0, "f", "1"), Probe("TYPE", $0)] }
        + [Probe("PEXPIRE", "rs:{1}:watch:probe", "1"), Probe("TIME")]
        + ["cfg:{1}:probe", "call:{1}:probe", "calls:{1}:probe", "agent:{1}:probe"].flatMap { key in
            [
                Probe("FCALL_RO", "regionsync_probe", "1", key), Probe("DEL", key), Probe("EXPIRE", key, "1"),
                Probe("HDEL", key, "f"), Probe("HGET", key, "f"), Probe("HGETALL", key), Probe("HMGET", key, "f"),
                Probe("HSET", key, "f", "v"), Probe("RESTORE", key, "0", "v"), Probe("SADD", key, "v"),
                Probe("SCARD", key), Probe("SISMEMBER", key, "v"), Probe("SMEMBERS", key), Probe("SREM", key, "v"),
                Probe("SSCAN", key, "0"), Probe("SRANDMEMBER", key, "1"),
            ]
        }
}
