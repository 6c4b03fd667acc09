internal import Journal
internal import Lease
internal import Projection
internal import RESP

// What servers do with requests.
extension World {
    /// What a server answers; nil where it waits.
    mutating func carryOut(_ sent: Wire.Sent, _ number: Int) -> Answer? {
        switch (sent.request, wires[number].server) {
        case (.connect, _): return .connected
        case (.redis(let command), .redis(let region)):
            return .redis(run(command, at: region))
        case (.read(let cursors, let count, let mark, let waits), .redis(let region)):
            return read(cursors, count, mark, waits: waits, at: region)
        case (.look(let journals), .redis(let region)):
            let redis = regions[region].redis
            return .look(runID: redis.runID, births: journals.map { redis.hash($0.metaKey)["birth"] })
        case (.lease(let action), .redis(let region)): return lease(action, at: region)
        case (.cache, .redis(let region)): return .cache(regions[region].redis.objects)
        case (.postgres(let request), .postgres): return carryOut(request, number).map { .postgres($0) }
        default: return nil
        }
    }

    /// The lease changes only by compare-and-set.
    private mutating func lease(_ action: WorkerLease.Action, at region: Int) -> Answer {
        let key = LeaseCommands.key
        let text = if case .string(let text) = regions[region].redis.values[key] { text } else { "" }
        let held = LeaseValue(text: text)
        switch action {
        case .look(let connection):
            let isOpen = connection.map { wires[Int($0)].isHeld && !wires[Int($0)].isGone } ?? true
            return .lease(held, isHolderGone: !isOpen)
        case .exchange(let expected, let new):
            guard held == expected, regions[region].redis.mood != .readOnly else {
                return .lease(held, isHolderGone: false)
            }
            regions[region].redis.values[key] = .string(new.text)
            return .lease(new, isHolderGone: false)
        }
    }

    /// Carries a command out, and records it where that is wanted.
    mutating func run(_ command: RedisCommand, at region: Int) -> Result<StoreReply, StoreFailure> {
        regions[region].redis.clock = UInt64(regions[region].clock.time(at: now))
        let result: Result<StoreReply, StoreFailure>
        do throws(StoreFailure) {
            result = .success(try regions[region].redis.run(command))
        } catch {
            result = .failure(error)
        }
        guard plan.recordedRegion == region, regions[region].redis.mood == .writable else { return result }
        var words = SimulatedRedis.words(of: command)
        guard words[0] == "XADD", words[2] == "*", let id = try? result.get().text else {
            recorded.append(command)
            return result
        }
        // Another server's clock would give another ID.
        words[2] = id
        recorded.append(RedisCommand(words: words, runs: []))
        return result
    }

    private func read(
        _ cursors: [JournalCursor], _ count: Int, _ mark: JournalName?, waits: Bool, at region: Int
    ) -> Answer? {
        let redis = regions[region].redis
        var reads: [JournalRead] = []
        for cursor in cursors {
            guard let stream = redis.stream(cursor.journal.key) else { continue }
            if let batch = stream.entries(behind: cursor.last, count: count).batch(behind: cursor.last) {
                reads.append(JournalRead(cursor.journal, batch))
            }
        }
        guard !reads.isEmpty || !waits else { return nil }
        return .read(reads, mark: mark.flatMap { redis.hash($0.metaKey)["birth"] })
    }

    /// Something may have changed at a server: reads that wait there look again, and so do we.
    mutating func changed(_ server: Server) {
        for number in waiting.sorted() where wires[number].server == server {
            for sent in wires[number].parked {
                guard let answer = carryOut(sent, number) else { continue }
                wires[number].parked.removeAll { $0.number == sent.number }
                give(answer, to: sent, number)
            }
            if wires[number].parked.isEmpty { waiting.remove(number) }
        }
        if case .redis(let region) = server { inspect(region) }
    }

    /// What waited at a server for as long as it may is answered with nothing.
    mutating func timeOut(_ number: Int, _ sent: Int) {
        guard let index = wires[number].parked.firstIndex(where: { $0.number == sent }) else { return }
        let sent = wires[number].parked.remove(at: index)
        if wires[number].parked.isEmpty { waiting.remove(number) }
        switch (sent.request, wires[number].server) {
        case (.read(_, _, let mark, _), .redis(let region)):
            give(.read([], mark: mark.flatMap { regions[region].redis.hash($0.metaKey)["birth"] }), to: sent, number)
        default: give(.postgres(keepAlive(number)), to: sent, number)
        }
    }
}
