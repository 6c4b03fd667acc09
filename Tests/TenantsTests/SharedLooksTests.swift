import Projection
import Synchronization
import Testing

@testable import Tenants

@Suite(.timeLimit(.minutes(1)))
struct SharedLooksTests {
    @Test("Whoever asks while a look goes on is served by the next one, all of them by the same")
    func shares() async {
        let looks = SharedLooks(spacing: .zero)
        let begun = Count()
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        await withTaskGroup(of: Void.self) { group in
            let look: @Sendable () async throws(StoreFailure) -> Void = {
                let isFirst = begun.number.withLock { count in
                    count += 1
                    return count == 1
                }
                if isFirst { for await _ in gate {} }
            }
            for _ in 0..<50 {
                group.addTask { @concurrent in _ = await looks.perform(look) }
            }
            let deadline = ContinuousClock.now + .seconds(30)
            while looks.waitingCount < 49, ContinuousClock.now < deadline {
                try? await Task.sleep(for: .milliseconds(1))
            }
            #expect(looks.waitingCount == 49)
            #expect(begun.number.withLock { $0 } == 1)
            open.finish()
        }
        #expect(begun.number.withLock { $0 } == 2)
        _ = await looks.perform { () async throws(StoreFailure) in begun.number.withLock { $0 += 1 } }
        #expect(begun.number.withLock { $0 } == 3)
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

private final class Count: Sendable {
    let number = Mutex(0)
}
