internal import Projection
internal import Synchronization

/// What the feed asks of Redis.
extension VoiceFeed {
    /// Reads what the reader is to read, until it is not needed any more or cannot.
    func read(_ reader: Int) async {
        let tail = tail(reader)
        tails.withLock { $0[reader] = tail }
        while !Task.isCancelled, let (cursors, waits) = apply({ $0.wanted(by: reader) }) {
            do throws(StoreFailure) {
                var found: [FeedRead] = []
                for read in try await tail.read(behind: cursors, waits: waits) { found.append(try FeedRead(read)) }
                apply { [found] in $0.read(found, by: reader) }
            } catch {
                apply { $0.readFailed(by: reader, error, at: Self.now) }
                // What fails at once fails again; nobody hurries.
                try? await Task.sleep(for: .milliseconds(50))
                lookSoon.yield()
                break
            }
        }
        tails.withLock { $0[reader] = nil }
        await tail.close()
    }

    /// Looks for what a client waits for; there may be nothing.
    func look(for wait: FeedWait, of reader: Reader, _ waiter: Int) async {
        switch await reader.look(wait) {
        case .found(let reply): apply { $0.found(reply, for: waiter) }
        case .nothing: apply { $0.foundNothing(for: waiter) }
        case .unavailable: apply { $0.foundNoAnswer(for: waiter) }
        }
    }

    /// Looks at journals whenever there are some to look at.
    func keepLooking() async {
        for await _ in looks {
            let journals = apply { $0.takeLooks(at: Self.now) }
            guard !journals.isEmpty else { continue }
            for start in stride(from: 0, to: journals.count, by: 256) {
                let some = journals[start..<min(start + 256, journals.count)]
                let looks = await StreamReading(store: store).look(at: Array(some))
                apply { $0.looked(looks) }
            }
        }
    }

    /// Has journals looked at often enough.
    func tick() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: state.withLock { $0.machine.isAway } ? .milliseconds(100) : .seconds(1))
            lookSoon.yield()
        }
    }
}
