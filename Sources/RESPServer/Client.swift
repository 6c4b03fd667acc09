package import NIOCore
internal import RESP

/// A client's connection as a port's commands see it. Everything may be called from anywhere, and has no effect once the
/// connection has ended.
package final class Client: Sendable {
    /// Its number, which its port gives nobody else for as long as it is open.
    package let id: Int64
    /// Where it comes from, as `host:port`.
    package let address: String

    package let eventLoop: any EventLoop
    /// Emptied when the connection ends, lest who keeps the client keep that.
    private let connection: NIOLoopBoundBox<ConnectionHandler?>
    private let ended: EventLoopFuture<Void>

    /// On the event loop of `connection`.
    init(
        id: Int64, address: String, eventLoop: any EventLoop, connection: ConnectionHandler,
        ended: EventLoopFuture<Void>
    ) {
        self.id = id
        self.address = address
        self.eventLoop = eventLoop
        self.connection = NIOLoopBoundBox(connection, eventLoop: eventLoop)
        self.ended = ended
    }

    /// Sends something that the client did not ask for, behind what was sent before. A client that does not take it is cut
    /// off when too much waits for it.
    package func push(_ push: Push) {
        onLoop { $0.push(push) }
    }

    /// Returns when so little waits for the client that its commands would run, or it has taken all that did; also when its
    /// connection has ended or the task is cancelled. Who has much to push waits so between one part and the next.
    package func drained() async {
        let (waiting, done) = AsyncStream.makeStream(of: Void.self)
        eventLoop.execute { [connection] in
            guard let connection = connection.value else { return done.finish() }
            connection.whenDrained { done.finish() }
        }
        for await _ in waiting {}
    }

    /// The client watches something from now on, and may be silent for as long as it does.
    package func watchBegan() {
        onLoop { $0.watchBegan() }
    }

    /// The client watches one thing less.
    package func watchEnded() {
        onLoop { $0.watchEnded() }
    }

    /// What comes of `body`, which is cancelled when the port begins to close, at once where it has: for the one command that
    /// runs, where that may wait for long. Also whether the port closes.
    package func cancellingOnDrain<Value: Sendable>(
        _ body: @escaping @Sendable () async -> Value
    ) async -> (value: Value?, isDraining: Bool) {
        let (drain, end) = AsyncStream.makeStream(of: Void.self)
        onLoop { connection in
            connection.whenDraining {
                end.yield()
                end.finish()
            }
        }
        return await withTaskGroup(of: Value.self) { group in
            group.addTask {
                defer { end.finish() }
                return await body()
            }
            var isDraining = false
            for await _ in drain { isDraining = true }
            if isDraining { group.cancelAll() }
            return (value: await group.next(), isDraining: isDraining)
        }
    }

    /// Calls `action` when the connection has ended; at once where it has.
    package func whenEnded(_ action: @escaping @Sendable () -> Void) {
        ended.whenComplete { _ in action() }
    }
}

extension Client {
    func answered(_ reply: Reply, ticket: Int) {
        onLoop { $0.answered(reply, ticket: ticket) }
    }

    func accountsReplaced() {
        onLoop { $0.refreshAccounts() }
    }

    /// The port closes: the connection ends when what was begun on it is over.
    func drain() {
        onLoop { $0.drain() }
    }

    /// The connection ends now.
    func cutOff(_ reason: Rejection) {
        onLoop { $0.cutOff(reason) }
    }

    /// Too much is kept of what clients sent, and this connection ends for it.
    func cutOffForInput() {
        onLoop { $0.cutOffForInput() }
    }

    /// The connection has ended; on its event loop.
    func forgetConnection() { connection.value = nil }

    private func onLoop(_ body: @escaping @Sendable (ConnectionHandler) -> Void) {
        if eventLoop.inEventLoop {
            if let connection = connection.value { body(connection) }
        } else {
            eventLoop.execute { [connection] in
                if let connection = connection.value { body(connection) }
            }
        }
    }
}
