internal import ArgumentParser
internal import NIOCore
internal import NIOPosix
internal import RESP
internal import RedisClient

/// `regionsync-load fill`: a backlog, as fast as the server takes it.
struct FillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fill",
        abstract: "Writes entries to a stream, pipelined plain XADDs of three fields, about 300 bytes.")

    @Option(help: "The server to write to, HOST:PORT.")
    var server: Server

    @Option(help: "How many entries.")
    var entries: Int

    @Argument(help: "The stream's key.")
    var stream: String

    private struct Result: Encodable {
        let entries: Int
        let seconds: Double
    }

    func run() async throws {
        let connection = try await server.connect(on: MultiThreadedEventLoopGroup.singleton.next(), name: "fill")
        let began = monotonicNanoseconds
        try await withThrowingTaskGroup(of: Void.self) { batches in
            var left = entries
            var underWay = 0
            while left > 0 {
                let command = LoadEntry.append(to: stream, sentAt: monotonicNanoseconds)
                let batch = Array(repeating: command, count: min(left, 1000))
                left -= batch.count
                if underWay == 4 {
                    try await batches.next()
                    underWay -= 1
                }
                batches.addTask { for answer in await connection.pipeline(batch) { _ = try answer.get() } }
                underWay += 1
            }
            try await batches.waitForAll()
        }
        let seconds = Double(monotonicNanoseconds - began) / 1e9
        await connection.close()
        try report(Result(entries: entries, seconds: seconds))
    }
}
