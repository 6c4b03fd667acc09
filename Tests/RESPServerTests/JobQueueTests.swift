import Testing

@testable import RESPServer

@Suite("Job queue") struct JobQueueTests {
    @Test("A job that would never run is not taken")
    func ended() async {
        let finished = JobQueue()
        let early = finished.add {}
        #expect(early)
        finished.finish()
        let late = finished.add {}
        #expect(!late)

        let cancelled = JobQueue()
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await cancelled.run() }
            tasks.cancelAll()
        }
        let afterwards = cancelled.add {}
        #expect(!afterwards)
    }
}
