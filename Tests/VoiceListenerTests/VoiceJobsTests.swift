import Testing

@testable import VoiceListener

@Suite("Jobs of the voice port's feed") struct VoiceJobsTests {
    @Test("a job that would never run is not taken")
    func ended() async {
        let jobs = VoiceJobs()
        let early = jobs.add(.other {})
        #expect(early)
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { for await _ in jobs.stream {} }
            tasks.cancelAll()
        }
        let late = jobs.add(.other {})
        #expect(!late)
    }
}
