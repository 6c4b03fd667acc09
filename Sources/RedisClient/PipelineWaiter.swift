internal import NIOCore

/// The answers to commands that were sent together, until all are there.
final class PipelineWaiter {
    private var results: [Result<RedisReply, RedisError>]
    private var missing: Int
    private let promise: EventLoopPromise<[Result<RedisReply, RedisError>]>

    init(count: Int, promise: EventLoopPromise<[Result<RedisReply, RedisError>]>) {
        results = Array(repeating: .failure(.closed), count: count)
        missing = count
        self.promise = promise
        if count == 0 { promise.succeed([]) }
    }

    func answered(_ position: Int, _ result: Result<RedisReply, RedisError>) {
        results[position] = result
        missing -= 1
        if missing == 0 { promise.succeed(results) }
    }
}
