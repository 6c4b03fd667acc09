internal import Journal
package import Projection
internal import RESP
package import RESPServer
package import Tenants

/// What clients of the voice port read: streams, by groups or without, and watches of all regions.
package struct VoiceReads: Sendable {
    let feed: VoiceFeed
    let streams: VoiceStreams
    let store: any ProjectionStore
    let watches = VoiceWatches()

    /// `store` is the local Redis, which answers at once that it is away when it is; `region` is the own one.
    package init(
        feed: VoiceFeed, store: any ProjectionStore, tenants: TenantLookup, region: String, peers: [String]
    ) {
        self.feed = feed
        self.store = store
        streams = VoiceStreams(tenants: tenants, region: region, regions: [region] + peers)
    }

    package var commands: [Command] {
        [readCommand, readGroupCommand] + rangeCommands + claimCommands + passedCommands + watchCommands
    }

    var reading: StreamReading { StreamReading(store: store) }

    /// Runs `body` with the journals of streams: at once where their tenants are known, else on the pool.
    func withJournals(
        _ names: [String], _ invocation: Invocation, _ pending: PendingReply,
        _ body: @escaping @Sendable ([JournalName]) -> Void
    ) {
        do throws(ReplyError) {
            if let journals = try streams.known(names, for: invocation.account) { return body(journals) }
        } catch {
            return pending.answer(.error(error))
        }
        let account = invocation.account
        feed.answer(pending) {
            do throws(ReplyError) {
                body(try await streams.journals(names, for: account))
            } catch {
                pending.answer(.error(error))
            }
        }
    }

    /// Until when a client waits that may be kept waiting for `block`; zero is for ever.
    static func deadline(_ block: Duration) -> Duration? { block == .zero ? nil : VoiceFeed.now + block }
}

// MARK: - XREAD

extension VoiceReads {
    private var readCommand: Command {
        Command(
            "XREAD", arity: -4, flags: [.readonly, .blocking], permission: .read,
            documentation: Command.Documentation(
                "Reads entries behind IDs, of any number of streams; waits for some where there are none.",
                group: "stream", complexity: "O(N) with the entries read",
                arguments: Self.pageArguments + [Self.streamsArgument]),
            handler: .deferred { read($0, $1) })
    }

    static let pageArguments = [
        Command.Argument("count", .integer, token: "COUNT", isOptional: true),
        Command.Argument("milliseconds", .integer, token: "BLOCK", isOptional: true),
    ]
    static let streamsArgument = Command.Argument(
        "streams", .block, token: "STREAMS",
        parts: [Command.Argument("key", .key, isMultiple: true), Command.Argument("ID", isMultiple: true)])

    private func read(_ invocation: Invocation, _ pending: PendingReply) {
        do throws(ReplyError) {
            let call = try ReadCall(invocation.request, isGroup: false)
            let deadline = call.block.flatMap { Self.deadline($0) }
            let client = invocation.client
            withJournals(call.streams.map(\.name), invocation, pending) { journals in
                if call.block != nil, let wait = wait(call, journals, deadline, ends: [:]) {
                    self.wait(wait, client, pending)
                } else {
                    feed.answer(pending) { await readElsewhere(call, journals, deadline, client, pending) }
                }
            }
        } catch {
            pending.answer(.error(error))
        }
    }

    /// Finds out what `$` is, reads in Redis and does not wait, or waits.
    private func readElsewhere(
        _ call: ReadCall, _ journals: [JournalName], _ deadline: Duration?, _ client: Client, _ pending: PendingReply
    ) async {
        var ends: [JournalName: EntryID] = [:]
        let asked = Set(zip(call.streams, journals).filter { $0.0.start == .new }.map { $0.1 }).sorted()
        do throws(ReplyError) {
            for some in PageSize.looks(of: asked) {
                for (journal, end) in zip(some, try await reading.ends(of: some)) { ends[journal] = end }
            }
        } catch {
            return pending.answer(.error(error))
        }
        guard let wait = wait(call, journals, deadline, ends: ends) else { return pending.answer(.unavailable) }
        guard call.block == nil else { return self.wait(wait, client, pending) }
        await pending.answer(cancellable: {
            await feed.inTurn { await reading.entries(of: wait.streams, limit: call.limit).reply }
        })
    }

    /// What the call waits for; nil where it says `$` of a stream whose end is not in `ends`.
    private func wait(
        _ call: ReadCall, _ journals: [JournalName], _ deadline: Duration?, ends: [JournalName: EntryID]
    ) -> FeedWait? {
        var streams: [FeedWait.Stream] = []
        for (stream, journal) in zip(call.streams, journals) {
            switch stream.start {
            case .behind(let id): streams.append(FeedWait.Stream(stream.name, journal, behind: id))
            case .new:
                guard let end = ends[journal] else { return nil }
                streams.append(FeedWait.Stream(stream.name, journal, behind: end))
            case .undelivered, .other: return nil
            }
        }
        return FeedWait(streams: streams, purpose: .entries(limit: call.limit), deadline: deadline)
    }

    private func wait(_ wait: FeedWait, _ client: Client, _ pending: PendingReply) {
        guard case .entries(let limit) = wait.purpose else { return }
        feed.wait(
            wait,
            by: VoiceFeed.Reader(client: client, pending: pending) { [reading] wait in
                await reading.entries(of: wait.streams, limit: limit)
            })
    }
}
