internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import RESP
internal import RedisClient

/// `regionsync-load watch`: when a server's answer to a question reaches a value.
struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Asks Redis again and again until the answer reaches a value; says when.",
        discussion: """
            Prints the line "ready" once it is connected, then a JSON object with the seconds since then, or since the \
            process named by --resume was continued, which this does itself so that one clock measures both ends.
            """)

    @Option(help: "The server to ask, HOST:PORT.")
    var server: Server

    @Option(help: "The answer is a number of at least this.")
    var atLeast: UInt64?

    @Option(help: "The answer is this text.")
    var equals: String?

    @Option(help: "Continue (SIGCONT) the process with this id first and count from there.")
    var resume: Int32?

    @Option(help: "Microseconds between an answer and the next question.")
    var pollMicroseconds: Int64 = 5000

    @Option(help: "Give up after so many seconds.")
    var timeout: Int64 = 300

    @Argument(parsing: .captureForPassthrough, help: "The question: a Redis command.")
    var question: [String]

    private struct Result: Encodable {
        let seconds: Double
        /// When the answer came, by CLOCK_MONOTONIC.
        let atNs: Int64
    }

    func validate() throws {
        guard (atLeast == nil) != (equals == nil) else { throw ValidationError("say --at-least or --equals") }
    }

    func run() async throws {
        let began = monotonicNanoseconds
        if let resume, kill(resume, SIGCONT) != 0 {
            throw ValidationError("process \(resume) cannot be continued: \(String(cString: strerror(errno)))")
        }
        let connection = try await server.connect(on: MultiThreadedEventLoopGroup.singleton.next(), name: "watch")
        say("ready")
        let since = resume == nil ? monotonicNanoseconds : began
        let command = RedisCommand(words: question.filter { $0 != "--" }, runs: [])
        while true {
            let reply = try await connection.send(command)
            let now = monotonicNanoseconds
            if isReached(reply) {
                await connection.close()
                return try report(Result(seconds: Double(now - since) / 1e9, atNs: now))
            }
            guard now - began < timeout * 1_000_000_000 else {
                throw ValidationError("after \(timeout) s the answer is still \(reply)")
            }
            try await Task.sleep(for: .microseconds(pollMicroseconds))
        }
    }

    private func isReached(_ reply: RedisReply) -> Bool {
        if let equals { return reply.string == equals }
        let number = reply.integer.flatMap { UInt64(exactly: $0) } ?? reply.string.flatMap { UInt64($0) }
        return number.map { $0 >= atLeast ?? 0 } ?? false
    }
}
