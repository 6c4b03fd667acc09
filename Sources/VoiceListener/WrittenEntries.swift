internal import Journal
internal import RESPServer
internal import Synchronization

/// An event as it was written.
struct WrittenEntry: Hashable, Sendable {
    let id: EntryID
    /// The journal's mark then; nil where it had none yet.
    let birth: String?

    /// Whether the journal is not what it was then: its Redis was set back, and the entry may be lost.
    func isOlder(than birth: String?) -> Bool { self.birth != nil && self.birth != birth }
}

/// How far each connection has written, for as long as it lasts: what `WAIT` waits for.
final class WrittenEntries: Sendable {
    /// Journals remembered of one connection.
    static let limit = 4096

    private struct Written {
        var last: [JournalName: WrittenEntry] = [:]
        var isTooMuch = false
    }

    private let clients = Mutex<[Int64: Written]>([:])

    /// `client` was told that its event is this entry.
    func wrote(_ entry: WrittenEntry, to journal: JournalName, _ client: Client) {
        let isFirst = clients.withLock { clients in
            var written = clients.removeValue(forKey: client.id) ?? Written()
            defer { clients[client.id] = written }
            let isFirst = written.last.isEmpty
            guard let before = written.last[journal] else {
                if written.last.count < Self.limit { written.last[journal] = entry } else { written.isTooMuch = true }
                return isFirst
            }
            if entry.id >= before.id { written.last[journal] = entry }
            return false
        }
        if isFirst { client.whenEnded { [self, id = client.id] in forget(id) } }
    }

    /// The last entry of each journal that `client` has written to; nil where they are more than are remembered.
    func last(of client: Client) -> [JournalName: WrittenEntry]? {
        clients.withLock { clients in
            guard let written = clients[client.id] else { return [:] }
            return written.isTooMuch ? nil : written.last
        }
    }

    private func forget(_ client: Int64) {
        clients.withLock { _ = $0.removeValue(forKey: client) }
    }
}
