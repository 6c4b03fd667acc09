internal import Connections
internal import Journal
internal import NIOCore
internal import Projection
internal import RESP
internal import RedisClient
internal import RegionConfig
internal import VoiceListener

/// Whether one Redis can be trusted with journals (journal.md) and lets the worker do its work.
struct RedisCheck: Sendable {
    /// What the server is to the region.
    enum Role: Hashable, Sendable {
        /// `servesVoice` says whether clients have their consumer groups there.
        case own(region: String, servesVoice: Bool)
        /// The peer's, into which `writer`, the region of the file, writes copies.
        case peer(region: String, writer: String)
    }

    /// What was found, and which server it was.
    struct Outcome: Sendable {
        var findings: [Finding]
        var runID: String?
        /// Where the region's own provisioning journal ends; nil where it holds nothing, or is not the own region's.
        var journaled: Position?
    }

    let redis: Region.Redis
    let role: Role
    /// Its path in the region file.
    let key: String

    init(_ redis: Region.Redis, role: Role, key: String) {
        self.redis = redis
        self.role = role
        self.key = key
    }

    var place: String {
        switch role {
        case .own: "redis \(redis.address)"
        case .peer(let region, _): "redis of \(region) \(redis.address)"
        }
    }

    func run(on eventLoop: any EventLoop) async -> Outcome {
        let connection: RedisConnection
        do {
            connection = try await .connect(
                to: RedisEndpoint(redis), name: "regionsync-check", on: eventLoop)
        } catch {
            return Outcome(findings: [unconnected(error)])
        }
        let outcome = await look(through: connection)
        await connection.close()
        return outcome
    }

    private func look(through connection: RedisConnection) async -> Outcome {
        let info: ServerInfo
        do {
            info = try await ServerInfo.ask(connection)
        } catch {
            return Outcome(findings: [finding(.error, "INFO", "\(error)", permissionRemedy)])
        }
        let findings =
            [version(info), topology(info), eviction(info), persistence(info)].compactMap(\.self)
            + (await functions(through: connection)) + [await permissions(through: connection)]
        return Outcome(findings: findings, runID: info["run_id"], journaled: await journaled(through: connection))
    }

    /// A user who may not read it is told so by the finding about permissions.
    private func journaled(through connection: RedisConnection) async -> Position? {
        guard case .own(let region, _) = role else { return nil }
        let command = RedisCommand("HGET", JournalName.provisioning(origin: region).metaKey, "position")
        let reply: RedisReply? = try? await connection.send(command)
        return reply?.string.flatMap { Position($0) }
    }

    func finding(
        _ severity: Finding.Severity, _ subject: String, _ statement: String, _ remedy: Remedy? = nil
    ) -> Finding {
        Finding(severity, at: place, subject, statement, remedy)
    }

    // MARK: Connecting

    private func unconnected(_ error: RedisError) -> Finding {
        let remedy: Remedy =
            switch error {
            case .authentication:
                .words(
                    "Correct \(key).username and the secret that \(key).passwordFile or \(key).passwordEnv names, "
                        + "or the server's users (ACL LIST there).")
            case .tls:
                .shell(
                    "openssl s_client -connect \(redis.address) </dev/null",
                    note: "It shows the certificate the server has; \(key).tls says what is expected of it.")
            case .connect, .noAnswer, .closed, .timeout, .protocolViolation, .tooLarge, .server:
                .shell(
                    "redis-cli -h \(redis.address.host) -p \(redis.address.port) ping",
                    note: "No answer: start the server, or correct \(key).host and \(key).port."
                        + (redis.tls == nil ? " A server that speaks only TLS needs \(key).tls." : ""))
            }
        return finding(.error, "connection", "\(error)", remedy)
    }

    // MARK: What INFO says

    private func version(_ info: ServerInfo) -> Finding {
        let version = info.version
        guard info.hasFunctions else {
            return finding(
                .error, "version", "Redis \(version) has no functions; expected 7.0 or newer",
                .words("Install Redis 7.0 or newer; its data files can be read by the newer one."))
        }
        return finding(.ok, "version", "Redis \(version)" + (redis.tls == nil ? "" : ", TLS"))
    }

    private func topology(_ info: ServerInfo) -> Finding? {
        if info["role"] == "slave" {
            let primary = "\(info["master_host"] ?? "?"):\(info["master_port"] ?? "?")"
            return finding(
                .error, "role", "is a replica of \(primary) and takes no writes",
                .redis("REPLICAOF NO ONE", note: "Or let \(key) name the primary, \(primary)."))
        }
        if info["redis_mode"] == "cluster" {
            return finding(
                .warning, "role", "runs in cluster mode; the worker connects to this node alone",
                .words("All hash slots must be on this node."))
        }
        return nil
    }

    private func eviction(_ info: ServerInfo) -> Finding {
        let policy = info.evictionPolicy
        guard !info.mayEvict else {
            return finding(
                .error, "eviction policy", "maxmemory-policy \(policy) may throw journals away",
                .redis(
                    "CONFIG SET maxmemory-policy noeviction",
                    note: "And the same in redis.conf, or CONFIG REWRITE. The worker refuses to use it before."))
        }
        let limit = info["maxmemory_human"].flatMap { $0 == "0B" ? nil : ", maxmemory \($0)" } ?? ", no maxmemory"
        return finding(.ok, "eviction policy", policy + limit)
    }

    private func persistence(_ info: ServerInfo) -> Finding {
        let subject = "persistence"
        if info["loading"] == "1" || info["async_loading"] == "1" {
            return finding(.error, subject, "is still loading its data", .words("Wait, then check again."))
        }
        if info["aof_last_write_status"] == "err" || info["rdb_last_bgsave_status"] == "err" {
            return finding(
                .error, subject, "the last write to its disk failed, so it may refuse writes",
                .words("Its log says why; mostly the disk is full or the folder is not its own."))
        }
        guard info["aof_enabled"] == "1" else {
            return finding(
                .warning, subject, "no append-only file: a restart loses every event since the last snapshot, if any",
                .redis(
                    "CONFIG SET appendonly yes", note: "And the same in redis.conf, or CONFIG REWRITE."))
        }
        return finding(.ok, subject, "append-only file")
    }

    // MARK: Functions

    /// Libraries of several versions stand beside each other, so a newer or older one is no harm; it is told because it
    /// says that another program works here.
    private func functions(through connection: RedisConnection) async -> [Finding] {
        let reply: RedisReply
        do {
            reply = try await connection.send(
                RedisCommand("FUNCTION", "LIST", "LIBRARYNAME", "regionsync_*", "WITHCODE"))
        } catch {
            return [finding(.error, "functions", "\(error)", permissionRemedy)]
        }
        let code = Dictionary(reply.elements.map(Self.library), uniquingKeysWith: { first, _ in first })
        return libraries.flatMap { functions($0, among: code) }
    }

    /// Those the worker loads there.
    private var libraries: [FunctionLibrary] {
        switch role {
        case .own: ProjectionFunctions.libraries + [RequestFunctions.library]
        case .peer: [JournalFunctions.library]
        }
    }

    /// How `ours` stands among the libraries there, whose code is given by name.
    private func functions(_ ours: FunctionLibrary, among code: [String: String]) -> [Finding] {
        var findings: [Finding] = []
        switch code[ours.name] {
        case nil: findings.append(finding(.ok, "functions", "\(ours.name) is not there yet; the worker loads it"))
        case ours.code: findings.append(finding(.ok, "functions", "\(ours.name) is loaded"))
        default:
            findings.append(
                finding(
                    .warning, "functions", "\(ours.name) is loaded with other code; the worker replaces it",
                    .redis("FUNCTION DELETE \(ours.name)", note: "If no other program has put it there on purpose.")))
        }
        guard let known = LibraryVersion(ours.name) else { return findings }
        for name in code.keys.sorted() {
            guard let found = LibraryVersion(name), found.family == known.family, found.number != known.number else {
                continue
            }
            let isNewer = found.number > known.number
            findings.append(
                finding(
                    .warning, "functions",
                    "\(name) is loaded: a\(isNewer ? " newer" : "n older") worker than this one has been here",
                    .redis("FUNCTION DELETE \(name)", note: "Once no such worker runs any more.")))
        }
        return findings
    }

    /// Name and code of an element of FUNCTION LIST: field, value, field, value.
    private static func library(_ element: RedisReply) -> (String, String) {
        var fields: [String: String] = [:]
        for index in stride(from: 0, to: element.count - 1, by: 2) {
            if let name = element[index]?.string, let value = element[index + 1]?.string { fields[name] = value }
        }
        return (fields["library_name"] ?? "", fields["library_code"] ?? "")
    }
}

/// A library's name, parted: `regionsync_journal_3`.
private struct LibraryVersion {
    let family: Substring
    let number: Int

    init?(_ name: String) {
        guard let end = name.lastIndex(of: "_"), let number = Int(name[name.index(after: end)...]) else { return nil }
        family = name[..<end]
        self.number = number
    }
}
