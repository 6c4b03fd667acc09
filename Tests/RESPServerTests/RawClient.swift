import PortFixtures
import Testing

/// A TCP connection that says exactly what a test wants said, requests or not.
final class RawClient: Sendable {
    private let talk: PortTalk

    /// `receiveBytes` is what the kernel keeps for a client that does not read, about.
    init(port: Int, receiveBytes: Int32? = nil) throws {
        talk = try PortTalk(port: port, receiveBytes: receiveBytes)
    }

    /// Sends as much as the kernel takes at once.
    ///
    /// - Returns: Bytes that it took.
    @discardableResult
    func send(_ text: String) -> Int { talk.offer(text) }

    /// Sends all of a text that is more than the kernel takes at once.
    func sendAll(_ text: String) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            try #require(ContinuousClock.now < deadline)
            let count = send(String(decoding: rest, as: UTF8.self))
            rest = rest.dropFirst(count)
            if count == 0 { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    /// The next `text.utf8.count` bytes must be `text`.
    func expect(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) async {
        let received = await read(text.utf8.count)
        #expect(received == text, sourceLocation: sourceLocation)
    }

    /// The next bytes must be `text`, and the last.
    func expectEnd(_ text: String = "", sourceLocation: SourceLocation = #_sourceLocation) async {
        let received = await read(.max)
        #expect(received == text, sourceLocation: sourceLocation)
    }

    /// What comes up to and with `end`; what there is where the other side closes before, or it does not come in time.
    func read(until end: String) async -> String { await talk.hear(until: end) }

    /// So many bytes, or fewer if the other side closes before; nil if neither comes in time.
    func read(_ count: Int) async -> String? { await talk.hear(count) }
}
