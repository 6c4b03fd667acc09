import Projection
import Synchronization
import Testing

@testable import Tenants

@Suite(.timeLimit(.minutes(1)))
struct SharedLooksTests {
    @Test("Whoever asks while a look goes on is served by the next one, all of them by the same")
    func shares() async throws {
        let looks = SharedLooks(spacing: .zero)
        let begun = Counter()
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let look: @Sendable () async throws(StoreFailure) -> Void = {
            if begun.increment() == 1 { for await _ in gate {} }
        }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { _ = await looks.perform(look) } }
            while looks.waitingCount < 49 { try? await Task.sleep(for: .milliseconds(1)) }
            #expect(begun.count == 1)
            open.finish()
        }
        #expect(begun.count == 2)
        _ = await looks.perform(look)
        #expect(begun.count == 3)
    }

    @Test("A look that fails fails for all whom it served, and not for the next")
    func fails() async {
        let looks = SharedLooks(spacing: .zero)
        let failed = await looks.perform { () async throws(StoreFailure) in throw .unreachable("gone") }
        #expect(throws: StoreFailure.unreachable("gone")) { try failed.get() }
        let went = await looks.perform { () async throws(StoreFailure) in }
        #expect(throws: Never.self) { try went.get() }
    }
}

private final class Counter: Sendable {
    private let value = Mutex(0)

    var count: Int { value.withLock { $0 } }

    func increment() -> Int {
        value.withLock { value in
            value += 1
            return value
        }
    }
}
