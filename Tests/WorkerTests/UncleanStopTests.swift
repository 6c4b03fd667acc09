import Capture
import Journal
import Observability
import RedisClient
import ServerFixtures
import Testing

@Suite("Capture in a region that stopped uncleanly", .serialized)
struct UncleanStopTests {
    private static let key = capturingKey(of: "us-east")

    /// A bench with one peer, which is down.
    private func withoutPeer(_ body: (_ bench: CaptureBench, _ peer: RedisServer) async throws -> Void) async throws {
        try await CaptureBench.with { bench in
            try await RedisServer.with { peer in
                var bench = bench
                bench.peers = [peer]
                await peer.stop()
                try await body(bench, peer)
            }
        }
    }

    /// Streams with two rows, then dies.
    private func dies(_ bench: CaptureBench) async throws {
        try await bench.captureAll("INSERT INTO provisioning.person VALUES (1, 101, 'a'), (2, 101, 'b')")
        #expect(try await bench.redis("HVALS", Self.key).elements.map(\.string) == ["1"])
    }

    @Test("a fresh one waits for nobody; killed, it waits until a peer answers, and goes on where it ended")
    func awaitsPeer() async throws {
        try await withoutPeer { bench, peer in
            try await dies(bench)
            let position = try await bench.position()
            try await bench.sql("INSERT INTO provisioning.person VALUES (3, 101, 'c')")
            try await bench.whileCapturing {
                try await bench.awaitState("awaiting-peer")
                try await bench.eventually("its advice") {
                    bench.state?.advice?.contains("HSET rs:{_}:capturing:") == true
                }
                #expect(try await bench.position() == position)
                try await peer.start()
                try await bench.awaitState("streaming")
                try await bench.caughtUp()
                #expect(try await bench.redis("HLEN", Self.key).integer == 1)
            }
            try await bench.expectInStep()
        }
    }

    @Test("stopped in order it goes on by itself")
    func stopsCleanly() async throws {
        try await withoutPeer { bench, _ in
            try await bench.whileCapturing(stopsCleanly: true) { try await bench.awaitState("streaming") }
            #expect(try await bench.redis("EXISTS", Self.key).integer == 0)
            try await bench.captureAll("INSERT INTO provisioning.person VALUES (1, 101, 'a')")
            try await bench.expectInStep()
        }
    }

    @Test("an operator's word lets it go on, once")
    func confirmed() async throws {
        try await withoutPeer { bench, _ in
            try await dies(bench)
            try await bench.whileCapturing {
                try await bench.awaitState("awaiting-peer")
                try await bench.redis("HSET", Self.key, "confirmed", "yes")
                try await bench.awaitState("streaming")
                #expect(try await bench.redis("HEXISTS", Self.key, "confirmed").integer == 0)
            }
            try await bench.whileCapturing { try await bench.awaitState("awaiting-peer") }
        }
    }

    @Test("an emptied Redis has lost the note; the slot tells that capture ran")
    func emptied() async throws {
        try await withoutPeer { bench, peer in
            try await dies(bench)
            try await bench.redis("FLUSHALL")
            try await bench.whileCapturing {
                try await bench.awaitState("awaiting-peer")
                try await peer.start()
                try await bench.awaitState("streaming")
                try await bench.caughtUp()
            }
            try await bench.expectInStep()
        }
    }

    @Test("a peer that has declared it down keeps it from its old primary at once")
    func declaredDown() async throws {
        try await withoutPeer { bench, peer in
            try await dies(bench)
            try await peer.start()
            var other = CaptureBench(sharing: bench)
            other.peers = [peer]
            let survivor = RedisEndpoint(host: peer.host, port: peer.port)
            try await bench.redis("HSET", "rs:{_}:projection", "down:us-east", "1 5-0", at: survivor)
            try await other.whileCapturing {
                try await other.awaitState("former-primary")
                // It knows without the declaration having come here.
                #expect(try await other.redis("EXISTS", "rs:{_}:projection").integer == 0)
            }
        }
    }
}
