import Journal
import NIOCore
import RESP
import RedisClient
import Traffic
import VoiceEvents

/// Answers the requests of one region through one connection, for as long as that lasts.
///
/// A request is read through a consumer group, and its answer is written in the transaction that acknowledges it: killed
/// at any moment, it is answered once. What was read and not answered comes first after the next start. Before each answer
/// the front end reads what the voice journal was given meanwhile, also by others. Calls that are older than what the
/// journal keeps it has from the records of the region's worker.
struct FrontEndSession {
    /// The consumer group, and the consumer in it: who comes after one that was killed is that one.
    static let group = "front-end"
    /// How long a read waits, after which new tenants are looked for.
    private static let patience = Duration.seconds(1)
    private static let pageSize = 500

    /// A tenant's journals and the front end that answers its requests.
    fileprivate struct Desk {
        let requests: JournalName
        let voice: JournalName
        var frontEnd: FrontEnd
    }

    /// An entry of a requests journal.
    private struct Entry {
        let id: String
        /// Nil where it was trimmed before it was read.
        let fields: [(String, String)]?
    }

    private let region: String
    private let tenants: [String]
    private let connection: RedisConnection
    private let say: @Sendable (String) -> Void
    /// By the key of the requests journal.
    private var desks: [String: Desk] = [:]

    /// `tenants` are those that are there whether provisioning knows them or not.
    init(region: String, tenants: [String], connection: RedisConnection, say: @escaping @Sendable (String) -> Void) {
        self.region = region
        self.tenants = tenants
        self.connection = connection
        self.say = say
    }

    /// Returns when the connection is lost, or its server of no use at present.
    mutating func run() async {
        do throws(RedisError) {
            while !Task.isCancelled {
                try await openDesks()
                guard !desks.isEmpty else {
                    try? await Task.sleep(for: Self.patience)
                    continue
                }
                try await answerNext()
            }
        } catch {
            guard case .server = error, !Task.isCancelled else { return }
            say("front end of \(region): \(error)")
        }
    }

    // MARK: Desks

    /// Begins with tenants that have none yet, and with what was left of their requests.
    private mutating func openDesks() async throws(RedisError) {
        let listed = try await connection.send(RedisCommand("SMEMBERS", tenantsKey)).elements.compactMap(\.string)
        let missing = Set(tenants).union(listed).sorted().filter { desks[requests(of: $0).key] == nil }
        guard !missing.isEmpty else { return }
        let records = FrontEndRecords(region: region, connection: connection)
        let agents = try await records.agents()
        for tenant in missing {
            let requests = requests(of: tenant)
            do throws(RedisError) {
                _ = try await connection.send(
                    RedisCommand("XGROUP", "CREATE", requests.key, Self.group, "0", "MKSTREAM"))
            } catch .server("BUSYGROUP", _) {
            }
            var frontEnd = FrontEnd(
                region: region, server: "\(region)-front-end-\(tenant)", startTime: unixMicroseconds())
            try await records.read(into: &frontEnd, of: tenant, agents: agents[tenant] ?? [])
            desks[requests.key] = Desk(
                requests: requests, voice: .voice(tenant: tenant, origin: region), frontEnd: frontEnd)
            while try await answer(reading: [requests.key], behind: "0") {}
        }
    }

    private func requests(of tenant: String) -> JournalName {
        JournalName(.requests, tenant: tenant, origin: region)
    }

    private mutating func answerNext() async throws(RedisError) {
        do throws(RedisError) {
            _ = try await answer(reading: desks.keys.sorted(), behind: ">", patience: Self.patience)
        } catch .server(let code, _) where code == "NOGROUP" || code == "UNBLOCKED" {
            // Somebody has emptied the server, before the read or meanwhile.
            desks.removeAll()
        }
    }

    // MARK: Requests

    /// Answers a page of requests: those behind an entry that were read already and not acknowledged, or new ones (`>`).
    /// Gives whether there were any.
    private mutating func answer(
        reading journals: [String], behind id: String, patience: Duration? = nil
    ) async throws(RedisError) -> Bool {
        var words = ["XREADGROUP", "GROUP", Self.group, Self.group, "COUNT", "\(Self.pageSize)"]
        if let patience { words += ["BLOCK", "\(patience.components.seconds * 1000)"] }
        words += ["STREAMS"] + journals + journals.map { _ in id }
        let command = RedisCommand(words: words, runs: []).blocking(for: patience ?? .zero)
        var isAny = false
        for journal in try await connection.send(command).elements {
            guard let key = journal[0]?.string, let entries = journal[1] else { continue }
            for entry in entries.elements.compactMap(Self.entry) {
                try await answer(entry, in: key)
                isAny = true
            }
        }
        return isAny
    }

    private mutating func answer(_ entry: Entry, in key: String) async throws(RedisError) {
        guard var desk = desks[key] else { return }
        try await catchUp(&desk)
        var transaction = RedisTransaction(capacity: 4096)
        for event in desk.answer(to: entry.fields ?? [], at: unixMicroseconds()) {
            let words = event.fields.flatMap { [$0.0, $0.1] }
            transaction.append(RedisCommand(words: ["XADD", desk.voice.key, "*"] + words, runs: []))
        }
        transaction.append(RedisCommand("XACK", key, Self.group, entry.id))
        transaction.finish()
        desks[key] = desk
        let replies = try await send(transaction)
        if let error = replies.elements.compactMap(\.error).first { throw error }
    }

    /// Reads what was added to the tenant's voice journal.
    private func catchUp(_ desk: inout Desk) async throws(RedisError) {
        while true {
            let page = try await connection.send(
                RedisCommand(
                    "XRANGE", desk.voice.key, "(\(desk.frontEnd.lastRead)", "+", "COUNT", "\(Self.pageSize)"))
            for entry in page.elements.compactMap(Self.entry) {
                guard let id = EntryID(entry.id), let fields = entry.fields else { continue }
                desk.frontEnd.entryRead(fields, at: id)
            }
            if page.count < Self.pageSize { return }
        }
    }

    private func send(_ transaction: RedisTransaction) async throws(RedisError) -> RedisReply {
        do {
            return try await connection.send(transaction).get()
        } catch {
            throw error as? RedisError ?? .closed
        }
    }

    private static func entry(_ reply: RedisReply) -> Entry? {
        guard let id = reply[0]?.string else { return nil }
        guard let list = reply[1], !list.isNull else { return Entry(id: id, fields: nil) }
        let words = list.elements.map { $0.string ?? "" }
        return Entry(
            id: id, fields: stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) })
    }
}

extension FrontEndSession.Desk {
    /// The events that answer a request; none where the entry is no request.
    fileprivate mutating func answer(to fields: [(String, String)], at time: Int64) -> [VoiceEvent] {
        let fields = Dictionary(fields, uniquingKeysWith: { $1 })
        guard let reference = fields["reference"].flatMap({ Int64($0) }),
            let request = CallRequest(request: fields["request"] ?? "", data: fields["data"] ?? "")
        else { return [] }
        return frontEnd.requested(request, reference: reference, at: time)
    }
}
