import Foundation
import NIOCore
import NIOPosix
import ServerFixtures
import Testing

@testable import RedisClient

@Suite("Congestion control") struct CongestionControlTests {
    @Test("BBR where it was asked for and may be used", arguments: [true, false])
    func bbr(_ prefersBBR: Bool) async throws {
        try await RedisServer.with { server in
            var endpoint = server.endpoint
            endpoint.prefersBBR = prefersBBR
            let connection = try await RedisConnection.connect(
                to: endpoint, name: "tests", on: MultiThreadedEventLoopGroup.singleton.next())
            let allowed = try String(
                contentsOfFile: "/proc/sys/net/ipv4/tcp_allowed_congestion_control", encoding: .utf8)
            let initial = try String(contentsOfFile: "/proc/sys/net/ipv4/tcp_congestion_control", encoding: .utf8)
            let provider = try #require(connection.channel as? any SocketOptionProvider)
            let name: UInt64 = try await provider.unsafeGetSocketOption(level: .tcp, name: .congestionControl).get()
            let text = withUnsafeBytes(of: name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            let standard = initial.trimmingCharacters(in: .whitespacesAndNewlines)
            if prefersBBR, allowed.contains("bbr") {
                #expect(text == "bbr")
            } else {
                // A privileged process may use it although it is not in the list.
                #expect(text == standard || (prefersBBR && text == "bbr"))
            }
            await connection.close()
        }
    }
}
