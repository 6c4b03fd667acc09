import Testing

@testable import Projection

@Suite("The pause between sessions")
struct SessionPauseTests {
    private let failure = StoreFailure.server(code: "ERR", message: "no")

    /// The pauses after these sessions: how long each lasted, nil for one that never began to read, and why it failed.
    private func pauses(after sessions: [(lasted: Duration?, failure: StoreFailure)]) -> [Duration] {
        var pause = SessionPause()
        return sessions.map { session in
            if session.lasted != nil { pause.aligned() }
            return pause.next(after: session.failure, at: .now + (session.lasted ?? .zero))
        }
    }

    @Test("grows while sessions never begin, up to a second")
    func unaligned() {
        let pauses = pauses(after: Array(repeating: (nil, failure), count: 9))
        #expect(pauses.first == .milliseconds(20))
        #expect(pauses.last == .seconds(1))
    }

    @Test("grows as well while sessions begin and fail alike at once")
    func alike() {
        let pauses = pauses(after: Array(repeating: (.zero, failure), count: 9))
        #expect(pauses.first == .milliseconds(20))
        #expect(pauses.last == .seconds(2))
    }

    @Test("begins anew when a session lasted, or failed otherwise")
    func anew() {
        let other = StoreFailure.server(code: "LOADING", message: "")
        let failing: [(lasted: Duration?, failure: StoreFailure)] = Array(repeating: (.zero, failure), count: 9)
        #expect(pauses(after: failing + [(.seconds(5), failure)]).last == .milliseconds(20))
        #expect(pauses(after: failing + [(.zero, other)]).last == .milliseconds(20))
    }
}
