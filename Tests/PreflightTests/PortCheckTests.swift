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
            "  voice: {host: 192.0.2.1, port: \(try freePort()), allowClearText: true}",
        ]
        let report = try await region.check()
        let admin = try report.fault("admin", at: "listen 127.0.0.1:\(port)")
        #expect(admin.statement == "in use by another program")
        #expect(admin.remedy?.commands == ["ss -ltnp 'sport = :\(port)'"])
        #expect(try report.fault("listeners.voice").statement == "is no address of this host")
        #expect(report.findings.contains { $0.subject == "listeners.config" && $0.severity == .ok })
        #expect(!report.isClean)
        try await taken.close().get()
    }
}
