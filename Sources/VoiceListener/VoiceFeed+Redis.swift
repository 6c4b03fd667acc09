internal import NIOCore
internal import Projection
internal import RESPServer
internal import Synchronization

/// What the feed asks of Redis.
extension VoiceFeed {
    /// What a letter to a client costs, about, and the longest that nothing is read for that.
    private static let letterTime = TimeAmount.microseconds(5)
    private static let longestPause = TimeAmount.milliseconds(5)

    /// Why a reader reads no more.
    private enum ReadingEnd {
        /// It is not needed any more, or the feed ends.
        case over
        case failed(StoreFailure)
        /// It had better read on another loop.
        case moves(to: any EventLoop)
    }

    /// Reads what the reader is to read, until it is not needed any more or cannot.
    func read(_ reader: Int, on loop: any EventLoop) async {
        do throws(StoreFailure) {
            let tail = try await tail(reader, loop)
            tails.withLock { $0[reader] = tail }
            // A read that waits would keep a worker waiting that stops.
            let end = await withTaskCancellationHandler {
                await follow(reader, through: tail, on: loop)
            } onCancel: {
                tail.close()
            }
            tails.withLock { $0[reader] = nil }
            tail.close()
            switch end {
            case .over: break
            case .failed(let failure): throw failure
            case .moves(let better): jobs.add(.reader(reader, on: better))
            }
        } catch {
            apply { $0.readFailed(by: reader, error, at: time) }
            await lookLater()
        }
    }

    /// Looks, as something failed. What fails at once fails again; nobody hurries.
    private func lookLater() async {
        try? await Task.sleep(for: state.withLock { $0.machine.settings.lookPause })
        lookSoon.yield()
    }

    /// Clients are sent what came of a read before Redis has the next one: what takes the processor first reaches them later.
    /// For a crowd nothing is read until they may have been: what comes meanwhile is a larger letter, and not one more. Where
    /// clients or their event loops are far behind already, Redis has to wait for them.
    ///
    /// Moves where another loop is the better place, which the machine need not know of.
    private func follow(_ reader: Int, through tail: any VoiceTail, on loop: any EventLoop) async -> ReadingEnd {
        guard let first = apply({ $0.wanted(by: reader) }) else { return .over }
        var place = ReadingPlace(on: loop)
        var sent = tail.send(behind: first.cursors, waits: first.waits)
        do throws(StoreFailure) {
            while !Task.isCancelled {
                let found = try FeedRead.all(of: try await sent.reads())
                let (next, actions) = tell { machine in
                    machine.read(found, by: reader, at: time)
                    return machine.wanted(by: reader)
                }
                // Who has actions to perform is not behind: all there was is among them.
                if actions.isEmpty, next != nil { await untilTaken() }
                let better = place.sent(ReadingPlace.Mailing(actions))
                perform(actions)
                guard let next else { return .over }
                if actions.count > ReadingPlace.crowd {
                    guard loop === eventLoop else { return .moves(to: eventLoop) }
                    let pause = min(Self.letterTime * actions.count, Self.longestPause)
                    try? await eventLoop.scheduleTask(in: pause) {}.futureResult.get()
                } else if let better {
                    return .moves(to: better)
                } else if !actions.isEmpty {
                    // What was sent leaves when the loop comes to it.
                    await Task.yield()
                }
                await letters.untilTaken()
                sent = tail.send(behind: next.cursors, waits: next.waits)
            }
            return .over
        } catch {
            return .failed(error)
        }
    }

    /// Looks for what a client waits for; there may be nothing.
    func look(for wait: FeedWait, of reader: Reader, _ waiter: Int) async {
        switch await reader.look(wait) {
        case .found(let reply): apply { $0.found(reply, for: waiter) }
        case .nothing: apply { $0.foundNothing(for: waiter) }
        case .unavailable:
            apply { $0.foundNoAnswer(for: waiter) }
            jobs.add(.other { await self.lookLater() })
        }
    }

    /// Looks at journals whenever there are some to look at.
    func keepLooking() async {
        for await _ in looks {
            let cursors = apply { $0.takeLooks(at: time) }
            guard !cursors.isEmpty else { continue }
            for some in PageSize.looks(of: cursors) {
                let looks = await StreamReading(store: store).look(at: some)
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

extension ReadingPlace.Mailing {
    /// To whom these actions send something at once; of a crowd not all, since that it is one is enough to know.
    init(_ actions: [FeedMachine<VoiceFeed.Reader>.Action]) {
        for action in actions where count <= ReadingPlace.crowd {
            switch action {
            case .answer(let reader, _): add(1, on: reader.client.eventLoop)
            case .push(let readers, _, _, _):
                for reader in readers.prefix(ReadingPlace.crowd + 1) { add(1, on: reader.client.eventLoop) }
            case .read, .start, .interrupt, .look, .report: break
            }
        }
    }
}
