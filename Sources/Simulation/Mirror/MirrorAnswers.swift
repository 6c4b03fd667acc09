internal import Journal
internal import Mirror
internal import NIOCore
internal import Projection

// What servers answer to a link's questions, read as `RedisMirrorSource` and `RedisMirrorTarget` read it.

extension SourceState {
    /// nil for a failure.
    init?(_ result: Result<StoreReply, StoreFailure>) {
        guard let parts = try? result.get().elements, parts.count == 10, let birth = parts[0].text else { return nil }
        self.init(
            birth: birth, isFormerBirth: parts[8].number == 1, floor: parts[1].id ?? .zero,
            generated: parts[3].id ?? .zero, added: parts[7].number ?? 0, found: parts[4].id, passed: parts[5].number,
            missed: parts[6].number, isClosed: parts[2] != .null, digest: parts[9].text)
    }
}

extension CopyState {
    /// nil for a failure.
    init?(_ result: Result<StoreReply, StoreFailure>) {
        guard let parts = try? result.get().elements, parts.count == 12 else { return nil }
        self.init(
            birth: parts[0].text, last: parts[1].id ?? .zero, count: parts[2].number ?? 0,
            length: parts[7].number ?? 0, generated: parts[6].id ?? .zero, floor: parts[3].id ?? .zero,
            isClosed: parts[4] != .null, digest: parts[10].text)
    }
}

extension KeptEntry {
    /// nil where a range holds no entry.
    init?(_ reply: StoreReply) {
        guard let entry = reply.elements.first?.elements, entry.count == 2, let id = entry[0].id else { return nil }
        let fields = entry[1].elements.compactMap(\.text)
        self.init(id: id, wire: ByteBuffer(string: fields.joined(separator: "\0")))
    }
}

extension StoreReply {
    var id: EntryID? { text.flatMap { EntryID($0) } }

    /// A number, as integer or text.
    var number: UInt64? {
        if case .integer(let integer) = self { UInt64(exactly: integer) } else { text.flatMap { UInt64($0) } }
    }
}

extension StoreFailure {
    /// The connection is to be given up: the server is not, or no longer, the one to write to.
    var isElsewhere: Bool {
        if case .server(let code, _) = self { Refusal.elsewhereCodes.contains(code) } else { false }
    }
}

extension Refusal {
    init(_ failure: StoreFailure) {
        switch failure {
        case .server(let code, let message): self.init(code: code, message: message)
        case .unreachable(let reason), .unsent(let reason): self = .unavailable(reason)
        }
    }
}
