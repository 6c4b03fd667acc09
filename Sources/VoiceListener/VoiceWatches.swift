internal import Synchronization

/// What each connection watches: numbers that it knows, and the feed's.
final class VoiceWatches: Sendable {
    private struct Watching {
        var lastNumber: Int64 = 0
        /// By number; nil until the feed has one.
        var watches: [Int64: Int?] = [:]
    }

    /// Watches of one connection.
    static let limit = 16

    private let clients = Mutex<[Int64: Watching]>([:])

    /// A number for one more watch; nil where there are too many. `isFirst`: the client's end has to be told from now on.
    func reserve(for client: Int64) -> (number: Int64, isFirst: Bool)? {
        clients.withLock { clients in
            let isFirst = clients[client] == nil
            var watching = clients[client] ?? Watching()
            guard watching.watches.count < Self.limit else { return nil }
            watching.lastNumber += 1
            watching.watches[watching.lastNumber] = .some(nil)
            clients[client] = watching
            return (watching.lastNumber, isFirst)
        }
    }

    /// The feed's number of a watch; false where the watch has ended meanwhile, or its client is gone.
    func began(_ number: Int64, as id: Int, for client: Int64) -> Bool {
        clients.withLock { clients in
            guard clients[client]?.watches[number] != nil else { return false }
            clients[client]?.watches[number] = .some(id)
            return true
        }
    }

    /// Ends a watch: whether there was one, and the feed's number of it, if that is known yet. Where it is not, `began` will
    /// say that the watch is not wanted.
    func end(_ number: Int64, for client: Int64) -> (isKnown: Bool, id: Int?) {
        clients.withLock { clients in
            guard let found = clients[client]?.watches.removeValue(forKey: number) else { return (false, nil) }
            return (true, found)
        }
    }

    /// The feed's numbers of what a client watched that is gone.
    func ended(_ client: Int64) -> [Int] {
        clients.withLock { $0.removeValue(forKey: client)?.watches.values.compactMap(\.self) ?? [] }
    }
}
