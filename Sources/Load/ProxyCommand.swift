internal import ArgumentParser
internal import NIOPosix
internal import WANProxy

/// `regionsync-load proxy`: a long and faulty link to a server, ordered about on standard input.
struct ProxyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxy", abstract: "Passes connections on to a server as a WAN would: late, slowly, not at all.",
        discussion: """
            Prints {"port":…} once it listens. Then it takes orders from standard input, one a line, and answers each with \
            one line of JSON when it is carried out; it ends with its input. DIRECTION is "there" (requests) or "back" \
            (answers); without it both are meant.

              delay MS [DIRECTION]          from departure to arrival
              rate BYTES|none [DIRECTION]   bytes a second
              stall [DIRECTION]             nothing arrives, nothing is lost
              cut [DIRECTION]               everything is swallowed in silence; who lost something is reset by heal
              heal                          both ways open again; delay and rate stay
              flap UP-MS DOWN-MS            open and cut in turn, until heal
              reset                         RST to all connections, both sides
              reset-after BYTES [DIRECTION] the same for each open connection, once so many more bytes have passed
              refuse, accept                RST to new connections, or not
              stats                         only the answer
            """)

    @Option(help: "Port of 127.0.0.1 to listen on; 0 for a free one.")
    var listen = 0

    @Option(help: "The server, HOST:PORT.")
    var to: Server

    private struct Listening: Encodable {
        let port: Int
    }

    private struct Complaint: Encodable {
        let error: String
    }

    func run() async throws {
        let proxy = try await WANProxy.start(
            port: listen, to: to.host, to.port, on: MultiThreadedEventLoopGroup.singleton.next())
        try report(Listening(port: proxy.port))
        // Waiting for a line blocks: not on the pool that everything else runs on.
        while let line = try await NIOThreadPool.singleton.runIfActive({ readLine() }) {
            do {
                try report(try await proxy.perform(try ProxyOrder(line: line)))
            } catch let error as ProxyOrder.Malformed {
                try report(Complaint(error: "no such order: \(error.line)"))
            }
        }
        try await proxy.close()
    }
}
