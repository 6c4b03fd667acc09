package import NIOCore
package import RESP

/// One connection to a Redis server, pinned to one event loop, pipelining; it never reconnects (see `RedisClient`).
///
/// Commands are answered in order and every one is answered, with `.closed`, `.timeout` or another error if the
/// connection ends first. What is in flight is kept without a bound of its own: whoever sends many without waiting keeps
/// a window. A connection on which commands block the server's side should carry no others.
package final class RedisConnection: Sendable {
    package let endpoint: RedisEndpoint
    package let eventLoop: any EventLoop
    /// The server's number for this connection, for `CLIENT UNBLOCK` and `CLIENT KILL`.
    package let clientID: Int64
    /// Succeeds when the connection is closed, with the reason: `.closed`, `.timeout`, `.tls`, `.protocolViolation`, or
    /// `.server` if the server said why it hung up.
    package let closeFuture: EventLoopFuture<RedisError>

    let channel: any Channel
    private let handler: NIOLoopBound<RedisChannelHandler>

    init(
        endpoint: RedisEndpoint, clientID: Int64, channel: any Channel, handler: NIOLoopBound<RedisChannelHandler>,
        closeFuture: EventLoopFuture<RedisError>
    ) {
        self.endpoint = endpoint
        eventLoop = channel.eventLoop
        self.clientID = clientID
        self.closeFuture = closeFuture
        self.channel = channel
        self.handler = handler
    }

    /// Whether commands can still be sent.
    package var isOpen: Bool { channel.isActive }

    /// Closes the connection; what is in flight fails with `.closed`. Returns when it is closed.
    package func close() async {
        closeSoon()
        await withCheckedContinuation { continuation in
            closeFuture.whenComplete { _ in continuation.resume() }
        }
    }

    /// Begins to close the connection.
    package func closeSoon() {
        eventLoop.execute { [handler] in handler.value.close(.closed) }
    }
}

extension RedisConnection {
    /// Sends a command. On the event loop this neither hops nor flushes: all commands of one turn leave together.
    ///
    /// - Parameters:
    ///   - command: What to send.
    ///   - deadline: How long the server may be silent while this command is the oldest unanswered one; the endpoint's
    ///     response time-out unless given, and for blocking commands their block time and what a link may take.
    /// - Returns: The reply; fails with a `RedisError` and nothing else.
    package func send(_ command: RedisCommand, deadline: Duration? = nil) -> EventLoopFuture<RedisReply> {
        let promise = eventLoop.makePromise(of: RedisReply.self)
        if eventLoop.inEventLoop {
            handler.value.send(command, deadline: deadline, waiter: .promise(promise))
        } else {
            eventLoop.execute { [handler] in
                handler.value.send(command, deadline: deadline, waiter: .promise(promise))
            }
        }
        return promise.futureResult
    }

    /// Has what was sent in this turn of the event loop leave now, and not at its end; of no effect elsewhere than there.
    package func flush() {
        if eventLoop.inEventLoop { handler.value.flush() }
    }

    /// Sends a transaction. Gives what `EXEC` answered, an array; fails with the first error that a command was refused
    /// with, in which case the server has carried out none of them. Errors of commands that it did carry out are
    /// elements of the array.
    package func send(_ transaction: RedisTransaction) -> EventLoopFuture<RedisReply> {
        let promise = eventLoop.makePromise(of: RedisReply.self)
        if eventLoop.inEventLoop {
            handler.value.send(transaction, promise: promise)
        } else {
            eventLoop.execute { [handler] in handler.value.send(transaction, promise: promise) }
        }
        return promise.futureResult
    }

    /// Sends a command and waits for its reply. Cancelling the task does not shorten that: a sent command cannot be
    /// taken back.
    ///
    /// - Throws: An error reply as `.server`; anything else means that the connection has ended.
    package func send(_ command: RedisCommand, deadline: Duration? = nil) async throws(RedisError) -> RedisReply {
        let result: Result<RedisReply, RedisError> = await withCheckedContinuation { continuation in
            let future: EventLoopFuture<RedisReply> = send(command, deadline: deadline)
            future.whenComplete { result in
                continuation.resume(returning: result.mapError { $0 as? RedisError ?? .closed })
            }
        }
        return try result.get()
    }

    /// Sends commands together and waits for all replies; crosses to the event loop once.
    ///
    /// - Returns: One result a command, in order. It is no transaction: others may come between, and one that fails does
    ///   not keep the next from being carried out.
    package func pipeline(
        _ commands: [RedisCommand], deadline: Duration? = nil
    ) async -> [Result<RedisReply, RedisError>] {
        let promise = eventLoop.makePromise(of: [Result<RedisReply, RedisError>].self)
        eventLoop.execute { [handler] in
            handler.value.send(commands, deadline: deadline, promise: promise)
        }
        return await withCheckedContinuation { continuation in
            promise.futureResult.whenSuccess { continuation.resume(returning: $0) }
        }
    }
}
