internal import RESP
internal import RESPServer

/// Reads in Redis for clients take turns: each may bring as much as one reply has, and after a failover thousands come with
/// old IDs at once. Who waits for entries has no turn.
extension VoiceFeed {
    /// Reads that go on at a time.
    static let readersAtOnce = 32
    /// How long a client waits for a turn that does not say how long it waits, and does at least that says so.
    private static let patience = Duration.seconds(10)
    private static let leastPatience = Duration.seconds(1)

    /// Looks for what a client waits for, when it is its turn; where none comes, its time is up.
    func lookInTurn(for wait: FeedWait, of reader: Reader, _ waiter: Int) async {
        guard await hasTurn(before: wait.deadline) else {
            let isOver = Task.isCancelled
            return apply { machine in
                if isOver { machine.foundNoAnswer(for: waiter) } else { machine.turnMissed(by: waiter) }
            }
        }
        guard apply({ $0.turnCame(for: waiter) }) else { return turns.pass() }
        await look(for: wait, of: reader.passing(turns), waiter)
    }

    /// What `body` reads, when it is its turn.
    func inTurn(_ body: () async -> Reply) async -> Reply {
        guard await turns.take(until: .now + Self.patience) else { return .error(.noTurn) }
        defer { turns.pass() }
        return await body()
    }

    /// Who waits for ever does so for its turn.
    private func hasTurn(before deadline: Duration?) async -> Bool {
        guard let deadline else { return await turns.take() }
        return await turns.take(until: .now + max(deadline - Self.now, Self.leastPatience))
    }
}

extension VoiceFeed.Reader {
    /// Has a turn, which is over when Redis has answered.
    fileprivate func passing(_ turns: ReadingTurns) -> VoiceFeed.Reader {
        VoiceFeed.Reader(client: client, pending: pending) { [look] wait in
            let outcome = await look(wait)
            turns.pass()
            return outcome
        }
    }
}
