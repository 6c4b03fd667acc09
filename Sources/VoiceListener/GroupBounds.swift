internal import Journal
internal import NIOCore
internal import Projection
internal import RESP

/// How many consumer groups a stream may have and consumers a group, and how long their names may be: who may read may make
/// them, and they stay in the region's Redis until somebody removes them.
///
/// It is asked for before a command that makes one is passed on. Commands that come together may make a few more.
struct GroupBounds: Sendable {
    static let nameBytes = 128
    static let groupLimit = 64
    static let consumerLimit = 1024
    /// Streams that are asked about together.
    private static let streamsAtOnce = 64

    let store: any ProjectionStore

    /// Whether a group may be made; one that is there is made again to no effect.
    ///
    /// - Throws: `LIMIT`, or why Redis cannot be asked.
    func checkGroup(_ name: ByteBuffer, of journal: JournalName) async throws(ReplyError) {
        try Self.checkName(name)
        guard let groups = try await self.groups(of: [journal]).first, groups.count >= Self.groupLimit else { return }
        guard groups.contains(where: { $0.name == name }) else {
            throw ReplyError(
                code: "LIMIT", message: "the stream has \(Self.groupLimit) groups; XGROUP DESTROY makes room")
        }
    }

    /// Whether a consumer may be made, where it is not there, in its group of each of these journals.
    ///
    /// - Throws: `LIMIT`, or why Redis cannot be asked.
    func checkConsumer(_ names: GroupNames, in journals: [JournalName]) async throws(ReplyError) {
        try Self.checkName(names.consumer)
        let journals = Set(journals).sorted()
        for start in stride(from: 0, to: journals.count, by: Self.streamsAtOnce) {
            let some = Array(journals[start..<min(start + Self.streamsAtOnce, journals.count)])
            for (journal, groups) in zip(some, try await self.groups(of: some)) {
                let group = groups.first { $0.name == names.group }
                guard let group, group.consumers >= Self.consumerLimit else { continue }
                guard try await consumers(of: names.group, journal).contains(names.consumer) else {
                    throw ReplyError(
                        code: "LIMIT",
                        message: "the group has \(Self.consumerLimit) consumers; XGROUP DELCONSUMER makes room")
                }
            }
        }
    }

    private static func checkName(_ name: ByteBuffer) throws(ReplyError) {
        guard name.readableBytes <= nameBytes else {
            throw ReplyError(
                code: "LIMIT", message: "names of groups and consumers have \(nameBytes) bytes at most")
        }
    }

    /// The groups of each journal.
    private func groups(of journals: [JournalName]) async throws(ReplyError) -> [[Group]] {
        try await ask(journals.map { RedisCommand("XINFO", "GROUPS", $0.key) }).map { groups in
            groups.elements.compactMap { Group($0) }
        }
    }

    private func consumers(of group: ByteBuffer, _ journal: JournalName) async throws(ReplyError) -> [ByteBuffer] {
        var name = BulkStrings()
        name.append(group)
        let answers = try await ask([RedisCommand(["XINFO", "CONSUMERS", journal.key], name)])
        return answers.flatMap(\.elements).compactMap { $0.value(of: "name")?.bytes }
    }

    /// Errors about a stream, of which the client's own command will tell.
    private static let codesOfStreams: Set<String> = ["ERR", "WRONGTYPE", "NOGROUP"]

    /// What Redis says; nothing where the stream, or the group, is not there.
    private func ask(_ commands: [RedisCommand]) async throws(ReplyError) -> [StoreReply] {
        let results = await store.run(commands)
        guard results.count == commands.count else { throw .unavailable }
        var answers: [StoreReply] = []
        for result in results {
            switch result {
            case .success(let answer): answers.append(answer)
            case .failure(.server(let code, _)) where Self.codesOfStreams.contains(code): answers.append(.null)
            case .failure(let failure): throw ReplyError(ofRead: failure)
            }
        }
        return answers
    }

    /// What `XINFO GROUPS` says of one.
    private struct Group {
        let name: ByteBuffer
        let consumers: Int64

        init?(_ fields: StoreReply) {
            guard let name = fields.value(of: "name")?.bytes, case .integer(let count)? = fields.value(of: "consumers")
            else { return nil }
            self.name = name
            consumers = count
        }
    }
}

/// A consumer of a group, as a request names them: of any bytes.
struct GroupNames: Hashable, Sendable {
    let group: ByteBuffer
    let consumer: ByteBuffer

    /// The group is the word at `place`, the consumer the one behind it; what is not there is empty.
    init(_ request: Request, at place: Int) {
        group = request[place] ?? ByteBuffer()
        consumer = request[place + 1] ?? ByteBuffer()
    }
}

extension VoiceReads {
    var bounds: GroupBounds { GroupBounds(store: store) }

    /// Whether what an `XGROUP` makes, if it makes something, may be made.
    func checkMaking(_ request: Request, of journal: JournalName) async throws(ReplyError) {
        guard request.isKeyword(0, "XGROUP") else { return }
        let names = GroupNames(request, at: 3)
        if request.isKeyword(1, "CREATE") {
            try await bounds.checkGroup(names.group, of: journal)
        } else if request.isKeyword(1, "CREATECONSUMER") {
            try await bounds.checkConsumer(names, in: [journal])
        }
    }
}

extension StoreReply {
    /// The value of a field, where fields and their values stand in turn.
    fileprivate func value(of field: String) -> StoreReply? {
        let elements = elements
        let place = stride(from: 0, to: elements.count - 1, by: 2).first { elements[$0].text == field }
        return place.map { elements[$0 + 1] }
    }

    fileprivate var bytes: ByteBuffer? {
        if case .string(let bytes) = self { bytes } else { nil }
    }
}
