import Journal
import Observability
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
        #expect(progress.confirmed == position && progress.standing?.isWhole == true)
        #expect(calls.positions.withLock { $0 } == [position, position])

        progress.reached(position, isWhole: false)
        #expect(progress.confirmed == position && progress.standing?.isWhole == false)
        progress.reached(position, isWhole: true)
        #expect(progress.standing?.isWhole == true)
        #expect(calls.positions.withLock { $0.count } == 4)
    }

    @Test("what is here once stays so, whoever asks at the same time")
    func askedTogether() async {
        let progress = ProvisioningProgress()
        progress.captured(upTo: Position(number: 1))
        progress.reached(Position(number: 1))
        #expect(progress.allCapturedHere(at: .now) != nil)
        await withTaskGroup(of: Int.self) { group in
            group.addTask {
                for number in UInt64(2)...50_000 {
                    progress.captured(upTo: Position(number: number))
                    progress.reached(Position(number: number))
                }
                return 0
            }
            for _ in 0..<2 {
                group.addTask { (0..<50_000).count(where: { _ in progress.allCapturedHere(at: .now) == nil }) }
            }
            for await missing in group { #expect(missing == 0) }
        }
    }

    @Test("the last transaction of a history is known also where the next history came in the same read")
    func ends() async throws {
        let (east, west) = (JournalName.provisioning(origin: "us-east"), JournalName.provisioning(origin: "eu-west"))
        let old = try #require(Position(history: 1, lsn: 5))
        let last = try #require(Position(history: 1, lsn: 6))
        let next = try #require(Position(history: 2, lsn: 1))
        try await withRedis { redis in
            var fold = ProvisioningFold(
                journals: [east, west], layouts: IndexLayouts(Script.catalog), trailing: old, cursors: [:])
            let change = Change.put(Script.person("101", 7), ["dbid": "7"])
            try Script.write(.init(position: last.number, changes: [change]), to: east, redis)
            try Script.write(.init(position: next.number, changes: [change]), to: west, redis)
            for read in try await redis.read(behind: fold.wanted, patience: .zero) { try fold.read(read) }
            while fold.nextAction() != nil {}
            let (completed, taken, later) = (fold.completed, fold.takeEnds(), fold.takeEnds())
            #expect(completed == next && taken == [last] && later == [])
        }
    }
}

private final class Calls: Sendable {
    let positions = Mutex<[Position]>([])
}
