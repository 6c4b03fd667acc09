import RESPServer
import Testing

@Suite("Turns of reading", .timeLimit(.minutes(5))) struct ReadingTurnsTests {
    private func until(_ what: String, _ condition: () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(2))
        }
        Issue.record("in vain: \(what)")
    }

    @Test("who comes when all turns are taken waits until one is over, first come first")
    func order() async throws {
        let turns = ReadingTurns(2)
        #expect(await turns.take())
        #expect(await turns.take())
        let (came, comes) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 1...3 {
                group.addTask {
                    if await turns.take() { comes.yield(number) }
                }
                try await until("\(number) waits") { turns.waitingCount == number }
            }
            var order: [Int] = []
            var numbers = came.makeAsyncIterator()
            for _ in 1...3 {
                turns.pass()
                if let number = await numbers.next() { order.append(number) }
            }
            #expect(order == [1, 2, 3] && turns.waitingCount == 0)
        }
        turns.pass()
        turns.pass()
        #expect(await turns.take())
    }

    @Test("who has a turn learns that somebody waits for one")
    func wanted() async throws {
        let turns = ReadingTurns(1)
        #expect(await turns.take())
        async let learnt: Void = turns.areWanted()
        async let next = turns.take()
        await learnt
        #expect(turns.waitingCount == 1)
        // Also who asks afterwards.
        await turns.areWanted()
        turns.pass()
        #expect(await next)
        let cancelled = Task { await turns.areWanted() }
        cancelled.cancel()
        await cancelled.value
        #expect(turns.waitingCount == 0)
    }

    @Test("who is cancelled waits no longer, and takes nobody's turn")
    func cancelled() async throws {
        let turns = ReadingTurns(1)
        #expect(await turns.take())
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask { await turns.take() }
            try await until("somebody waits") { turns.waitingCount == 1 }
            group.cancelAll()
            let waited = try await group.next()
            // Cancelled before it asked.
            group.addTask { await turns.take() }
            let asked = try await group.next()
            #expect(waited == false && asked == false)
        }
        turns.pass()
        #expect(await turns.take() && turns.waitingCount == 0)
    }

    @Test("who waits for so long only goes without a turn, takes nobody's, and has one that is free")
    func deadline() async throws {
        let turns = ReadingTurns(1)
        #expect(await turns.take(until: .now))
        #expect(await !turns.take(until: .now + .milliseconds(20)))
        #expect(turns.waitingCount == 0)
        async let patient = turns.take(until: .now + .seconds(600))
        try await until("somebody waits") { turns.waitingCount == 1 }
        turns.pass()
        #expect(await patient)
        let cancelled = Task { await turns.take(until: .now + .seconds(600)) }
        try await until("another one waits") { turns.waitingCount == 1 }
        cancelled.cancel()
        #expect(await !cancelled.value)
        turns.pass()
        let free = Task {
            while !Task.isCancelled { await Task.yield() }
            return await turns.take(until: .now + .seconds(600))
        }
        free.cancel()
        #expect(await free.value)
        turns.pass()
        #expect(await turns.take() && turns.waitingCount == 0)
    }
}
