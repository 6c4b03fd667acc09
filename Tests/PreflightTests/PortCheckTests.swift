import NIOCore
import NIOPosix
import Preflight
import ServerFixtures
import Testing

@Suite("Checking the ports to listen on")
struct PortCheckTests {
    @Test("Free, taken, and no address of this host")
    func ports() async throws {
        let taken = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(taken.localAddress?.port)
        var region = CheckedRegion()
        region.redis.append("port: \(try freePort())")
        region.postgres.append("port: \(try freePort())")
        region.admin = port
        let free = try freePort()
        region.rest = [
            "listeners:", "  config: {port: \(free)}",
            "  routing: {host: 192.0.2.1, port: \(try freePort()), allowClearText: true}",
        ]
        let report = try await region.check()
        let admin = try report.fault("admin", at: "listen 127.0.0.1:\(port)")
        #expect(admin.statement == "in use by another program")
        #expect(admin.remedy?.commands == ["ss -ltnp 'sport = :\(port)'"])
        #expect(try report.fault("listeners.routing").statement == "is no address of this host")
        #expect(report.findings.contains { $0.subject == "listeners.config" && $0.severity == .ok })
        #expect(!report.isClean)
        try await taken.close().get()
    }

    @Test("The admin port of the region's own worker is no fault; another region's, or another program's, is")
    func runningWorker() async throws {
        let cases = [
            (#"{"ready":true,"region":"us-east"}"#, "in use, by this region's worker, which runs"),
            (#"{"ready":true,"region":"eu-west"}"#, "in use by the worker of region eu-west"),
            ("alive\n", "in use by another program"), ("{}", "in use by another program"),
        ]
        for (body, statement) in cases {
            let answer =
                "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n" + body
            let worker = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(OneAnswer(text: answer))
                    }
                }
                .bind(host: "127.0.0.1", port: 0).get()
            var region = CheckedRegion()
            region.redis.append("port: \(try freePort())")
            region.postgres.append("port: \(try freePort())")
            region.admin = try #require(worker.localAddress?.port)
            let report = try await region.check()
            #expect(report.findings(at: "listen").map(\.statement) == [statement])
            #expect(report.findings(at: "listen").map { $0.severity == .ok } == [body.contains("us-east")])
            try await worker.close().get()
        }
    }
}

/// Answers whatever comes with one text, and closes.
private final class OneAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let text: String

    init(text: String) {
        self.text = text
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        context.close(promise: nil)
    }
}
