import Journal
import Synchronization
import Testing

@testable import Projection

@Suite("Progress of provisioning")
struct ProvisioningProgressTests {
    @Test("what was reached counts again once the server that came back has said so")
    func interrupted() {
        let progress = ProvisioningProgress()
        let calls = Calls()
        progress.observe { position in calls.positions.withLock { $0.append(position) } }
        #expect(progress.completed == nil && progress.confirmed == nil)

        let position = Position(number: 7)
        progress.reached(position)
        progress.reached(position)
        #expect(progress.completed == position && progress.confirmed == position)
        progress.interrupted()
        #expect(progress.completed == position && progress.confirmed == nil)
        progress.reached(position)
        #expect(progress.confirmed == position)
        #expect(calls.positions.withLock { $0 } == [position, position])
    }
}

private final class Calls: Sendable {
    let positions = Mutex<[Position]>([])
}
