import NIOCore
import RESP
import Testing

@testable import RESPServer

@Suite("Output of all clients", .timeLimit(.minutes(5))) struct OutputTotalTests {
    private static func at(_ seconds: UInt64) -> NIODeadline { .uptimeNanoseconds((1000 + seconds) * 1_000_000_000) }

    @Test("What waits is counted as it is now, and not for who takes what it is sent, or is gone")
    func counts() {
        var total = OutputTotal(limit: 100)
        #expect(total.waits(60, for: 1, lastTaken: Self.at(0), at: Self.at(0)).isEmpty)
        #expect(total.waits(40, for: 2, lastTaken: Self.at(0), at: Self.at(0)).isEmpty)
        #expect(total.byteCount == 100)
        #expect(total.waits(10, for: 1, lastTaken: Self.at(1), at: Self.at(1)).isEmpty)
        #expect(total.byteCount == 50)
        total.ended(2)
        total.ended(2)
        #expect(total.byteCount == 10)
        total.ended(1)
        #expect(total.byteCount == 0)
    }

    @Test("Who took nothing for longest goes, as many as it takes, and no client that takes something")
    func stillest() {
        var total = OutputTotal(limit: 100)
        #expect(total.waits(20, for: 1, lastTaken: Self.at(1), at: Self.at(1)).isEmpty)
        #expect(total.waits(20, for: 2, lastTaken: Self.at(0), at: Self.at(1)).isEmpty)
        #expect(total.waits(40, for: 3, lastTaken: Self.at(9), at: Self.at(9)).isEmpty)
        let first = total.waits(35, for: 4, lastTaken: Self.at(10), at: Self.at(10))
        #expect(first == [2] && total.byteCount == 95)
        let others = total.waits(30, for: 5, lastTaken: Self.at(10), at: Self.at(10))
        #expect(others == [1, 5] && total.byteCount == 75)
    }

    @Test("Of those that took nothing for as long the one goes for which most waits")
    func most() {
        var total = OutputTotal(limit: 100)
        for (client, bytes) in [(1, 20), (2, 50), (3, 30)] as [(Int64, Int)] {
            #expect(total.waits(bytes, for: client, lastTaken: Self.at(0), at: Self.at(0)).isEmpty)
        }
        let removed = total.waits(1, for: 4, lastTaken: Self.at(5), at: Self.at(5))
        #expect(removed == [2] && total.byteCount == 51)
    }

    @Test("Where nobody has taken nothing for long, the one goes that makes it too much")
    func newest() {
        var total = OutputTotal(limit: 100)
        #expect(total.waits(90, for: 1, lastTaken: Self.at(0), at: Self.at(0)).isEmpty)
        let second = total.waits(11, for: 2, lastTaken: Self.at(1), at: Self.at(1))
        #expect(second == [2])
        let first = total.waits(101, for: 1, lastTaken: Self.at(1), at: Self.at(1))
        #expect(first == [1] && total.byteCount == 0)
    }

    @Test("A client is seen to take something when less is left, and not by what it is sent")
    func untaken() {
        var output = UntakenOutput(bytes: 100, at: Self.at(0))
        #expect(output.nextLook == Self.at(1))
        output.left(100, at: Self.at(1))
        #expect(output.lastTaken == Self.at(0) && output.nextLook > Self.at(1) && output.nextLook < Self.at(2))
        output.sent(upTo: 150)
        output.left(150, at: Self.at(2))
        #expect(output.bytes == 150 && output.lastTaken == Self.at(0))
        output.left(149, at: Self.at(3))
        #expect(output.lastTaken == Self.at(3))
    }

    @Test("Clients that do not read do not hold more than may wait for all; who reads gets its replies")
    func served() async throws {
        let large = ByteBuffer(repeating: 0x78, count: 8 << 20)
        let table = CommandTable([.test("T.LARGE", .immediate { _ in .bulk(large) })])
        try await TestServer.with(table: table, { $0.totalOutputBytes = 9 << 20 }) { server in
            // None has more waiting than each may. The kernel takes a part for each of them, not half.
            let deaf = try (0..<6).map { _ in try server.client(receiveBytes: 4096) }
            for client in deaf { client.send("T.LARGE\r\n") }
            try await eventually { server.rejected(.outputTotal) >= 3 }
            #expect(server.rejected(.output) == 0 && server.rejected(.stalled) == 0)
            // Who comes before the others pass for clients that do not read may have to come again.
            let expected = "$\(8 << 20)\r\n".utf8.count + (8 << 20) + 2
            try await eventually {
                let reader = try server.client()
                reader.send("T.LARGE\r\n")
                return await reader.read(expected)?.utf8.count == expected
            }
            withExtendedLifetime(deaf) {}
        }
    }
}
