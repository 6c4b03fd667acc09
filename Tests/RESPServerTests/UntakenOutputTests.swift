import NIOCore
import RESP
import Testing

@testable import RESPServer

@Suite("Output that a client takes slowly", .timeLimit(.minutes(5))) struct UntakenOutputTests {
    private static let stallTime = TimeAmount.seconds(30)
    private static let least = UntakenOutput.leastTaken

    private static func at(_ seconds: Int64) -> NIODeadline {
        NIODeadline.uptimeNanoseconds(1 << 40) + TimeAmount.seconds(seconds)
    }

    @Test("Who takes nothing, or next to nothing, has a stall time")
    func stalled() {
        var output = UntakenOutput(bytes: 1 << 24, at: Self.at(0))
        #expect(output.end(of: Self.stallTime) == Self.at(30))
        output.left(1 << 24, at: Self.at(10))
        output.left((1 << 24) - (Self.least - 1), at: Self.at(29))
        #expect(output.end(of: Self.stallTime) == Self.at(30))
        // What it is sent is nothing that it took.
        output.sent(upTo: 1 << 25)
        output.left(1 << 25, at: Self.at(30))
        #expect(output.end(of: Self.stallTime) == Self.at(30))
    }

    @Test("Who takes some, in whatever parts, has time anew from then on")
    func slow() {
        var output = UntakenOutput(bytes: 1 << 24, at: Self.at(0))
        output.left((1 << 24) - 1, at: Self.at(10))
        output.left((1 << 24) - Self.least, at: Self.at(20))
        #expect(output.end(of: Self.stallTime) == Self.at(50))
        output.left((1 << 24) - 2 * Self.least + 1, at: Self.at(40))
        #expect(output.end(of: Self.stallTime) == Self.at(50))
        output.left((1 << 24) - 2 * Self.least, at: Self.at(49))
        #expect(output.end(of: Self.stallTime) == Self.at(79))
    }

    @Test("Not for ever")
    func endless() {
        var output = UntakenOutput(bytes: 1 << 30, at: Self.at(0))
        let longest = 30 * UntakenOutput.longestStall
        for second in 1..<longest { output.left((1 << 30) - Int(second) * Self.least, at: Self.at(second)) }
        #expect(output.end(of: Self.stallTime) == Self.at(longest))
    }

    @Test("A client with a slow link gets a reply that takes it longer than a stall time")
    func served() async throws {
        let time = Duration.seconds(1)
        try await takeLargeReply(in: time * 3 / 2) { $0.stallTime = time }
    }

    @Test("So does one that sends nothing meanwhile for longer than a client may")
    func servedInSilence() async throws {
        let time = Duration.seconds(1)
        try await takeLargeReply(in: time * 3 / 2) { $0.idleTime = time }
    }

    /// Has a client take a large reply slowly for some time, in which it does not get all of it, and then the rest.
    private func takeLargeReply(in time: Duration, _ limits: (inout ListenerLimits) -> Void) async throws {
        let (bytes, part) = (16 << 20, 256 << 10)
        let large = ByteBuffer(repeating: 0x78, count: bytes)
        let table = CommandTable([.test("T.LARGE", .immediate { _ in .bulk(large) })])
        try await TestServer.with(table: table, limits) { server in
            // Who does not get to read for so long, on a busy machine, is cut off, and asks again.
            try await eventually {
                let client = try server.client(receiveBytes: 64 << 10)
                client.send("T.LARGE\r\n")
                var left = "$\(bytes)\r\n".utf8.count + bytes + 2
                let began = ContinuousClock.now
                while left > 0, let text = await client.read(min(part, left)), !text.isEmpty {
                    left -= text.utf8.count
                    // By then not half of it was read, and the kernels have less than that: some waits in the server.
                    if ContinuousClock.now < began + time { try await Task.sleep(for: .milliseconds(50)) }
                }
                return left == 0
            }
        }
    }
}
