internal import Journal
internal import NIOCore
internal import RESP
internal import RedisClient

// How the journal's functions are called, wherever they are: a server can lose its libraries at any time (a full resync
// wipes a replica's, FUNCTION FLUSH everybody's), and can stop being the one to ask.
extension RedisConnection {
    /// Loads a library. A server without memory to spare does not take it; that is no harm where it has one of that name.
    func load(_ library: FunctionLibrary) async throws(RedisError) {
        do {
            _ = try await send(library.loadCommand)
        } catch .server("OOM", let message) {
            let known = try await send(RedisCommand("FUNCTION", "LIST", "LIBRARYNAME", library.name))
            guard known.count > 0 else { throw .server(code: "OOM", message: message) }
        }
    }

    /// Without `MULTI` and `EXEC` the commands of an append would be carried out one by one, unguarded.
    func requireTransactions() async throws(RedisError) {
        for answer in await pipeline([RedisCommand("MULTI"), RedisCommand("EXEC")]) { _ = try answer.get() }
    }

    /// Calls one of the journal's functions; loads them where the server has lost them. Fails with `Refusal`.
    func call(_ command: RedisCommand) -> EventLoopFuture<RedisReply> {
        send(command).flatMapError { error in
            guard case RedisError.server("ERR", let message) = error, message.hasPrefix("Function not found") else {
                return self.eventLoop.makeFailedFuture(error)
            }
            return self.send(JournalFunctions.library.loadCommand).flatMap { _ in self.send(command) }
        }.leavingElsewhere(self).refusing()
    }
}

extension EventLoopFuture where Value == RedisReply {
    /// The same; gives up a connection to a server that says to go elsewhere.
    func leavingElsewhere(_ connection: RedisConnection) -> EventLoopFuture<RedisReply> {
        flatMapErrorThrowing { error in
            if case RedisError.server(let code, _) = error, Refusal.elsewhereCodes.contains(code) {
                connection.closeSoon()
            }
            throw error
        }
    }

    /// The same, failing with `Refusal` only.
    func refusing() -> EventLoopFuture<RedisReply> {
        flatMapErrorThrowing { throw Refusal($0) }
    }
}
