internal import Journal
internal import Logging
internal import Observability
internal import RESPServer
internal import Synchronization

extension ProvisioningFeed {
    private enum CatchingUp {
        case over
        case pause
        case read(ProvisioningReading)
    }

    /// How long a client may take for what it was sent while somebody waits for a turn; then its watch passes it on.
    private static let grace = Duration.milliseconds(20)

    /// Tells a watch everything up to where the live ones are, as fast as its client takes it, and makes it one of them.
    func catchUp(_ watch: ProvisioningWatch) async {
        var watch = watch
        while !Task.isCancelled {
            await watch.client.drained()
            switch goOn(&watch) {
            case .over: return
            case .pause: try? await Task.sleep(for: Self.pause)
            case .read(var reading): await read(&reading, for: &watch)
            }
        }
    }

    private func goOn(_ watch: inout ProvisioningWatch) -> CatchingUp {
        state.withLock { state in
            guard state.watches.has(watch) else { return .over }
            if let type = state.repairs.repaired(watch.types, since: watch.repairs) {
                end(watch, at: state.histories.completed ?? .zero, type: type, &state)
                return .over
            }
            while true {
                if let place = state.place, watch.place >= place {
                    state.watches.goLive(watch)
                    newsCame.yield()
                    return .over
                }
                switch state.histories.way(behind: watch.place) {
                case .wait: return .pause
                case .jump(let next): watch.place = next
                case .read(let bound):
                    return .read(ProvisioningReading(pages.journals, behind: watch.place, upTo: bound))
                case .lost:
                    end(watch, at: state.histories.completed ?? .zero, type: nil, &state)
                    return .over
                }
            }
        }
    }

    private func read(_ reading: inout ProvisioningReading, for watch: inout ProvisioningWatch) async {
        switch await readInTurn(&reading, for: &watch) {
        case nil: break
        case .missing?: state.withLock { end(watch, at: $0.histories.completed ?? .zero, type: nil, &$0) }
        case .store(let failure)?:
            logger.debug("Provisioning journals cannot be read for a watcher", [.reason: "\(failure)"])
            try? await Task.sleep(for: Self.pause)
        }
    }

    /// Reads on when it is this watch's turn; answers what keeps it from that. A client that takes its time does not keep
    /// the turn from those who wait for one.
    private func readInTurn(
        _ reading: inout ProvisioningReading, for watch: inout ProvisioningWatch
    ) async -> ProvisioningPages.Failure? {
        guard await turns.take() else { return nil }
        defer { turns.pass() }
        let end = ContinuousClock.now + turnTime
        do throws(ProvisioningPages.Failure) {
            while isWatched(watch) {
                let page = try await pages.page(of: &reading)
                guard tell(page, to: watch) else { return nil }
                watch.place = reading.place
                guard !page.isLast, await hasTaken(watch.client, by: end) else { return nil }
            }
            return nil
        } catch {
            return error
        }
    }

    private func isWatched(_ watch: ProvisioningWatch) -> Bool { state.withLock { $0.watches.has(watch) } }

    /// Whether the client has taken what it was sent, before the turn is over and others have waited for it too long.
    private func hasTaken(_ client: Client, by end: ContinuousClock.Instant) async -> Bool {
        guard ContinuousClock.now < end else { return false }
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await client.drained()
                return !Task.isCancelled
            }
            group.addTask {
                try? await Task.sleep(until: end)
                return false
            }
            group.addTask {
                await self.turns.areWanted()
                try? await Task.sleep(for: Self.grace)
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
    }

    /// False when the watch has ended.
    private func tell(_ page: ProvisioningPages.Page, to watch: ProvisioningWatch) -> Bool {
        state.withLock { state in
            guard state.watches.has(watch) else { return false }
            var mailing = Mailing()
            defer { mailing.send() }
            for step in page.steps {
                switch step {
                case .event(let event) where watch.wants(event):
                    mailing.add(event.push(watch: watch.number), to: watch.client)
                case .reload(let position, let type) where watch.wants(reloadAt: position, type: type):
                    lose(watch, at: position, type: type, &state, &mailing)
                    return false
                case .event, .reload, .closed, .read, .locate, .end: break
                }
            }
            return true
        }
    }

    private func end(_ watch: ProvisioningWatch, at position: Position, type: String?, _ state: inout State) {
        var mailing = Mailing()
        lose(watch, at: position, type: type, &state, &mailing)
        mailing.send()
    }
}
