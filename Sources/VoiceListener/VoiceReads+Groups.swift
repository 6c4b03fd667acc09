internal import Journal
internal import Projection
internal import RESP
internal import RESPServer

/// Consumer groups live in the region's own Redis: in a journal born here as well as in the copy of a peer's. They belong to
/// who reads, so that reading is all that an account needs to be allowed.
extension VoiceReads {
    var readGroupCommand: Command {
        Command(
            "XREADGROUP", arity: -7, flags: [.write, .blocking], permission: .read,
            documentation: Command.Documentation(
                "Reads entries as a consumer of a group; waits for some where there are none.", group: "stream",
                complexity: "O(N) with the entries read",
                arguments: [Self.groupArgument] + Self.pageArguments + [Self.noAckArgument, Self.streamsArgument]),
            handler: .deferred { readGroup($0, $1) })
    }

    private static let groupArgument = Command.Argument(
        "group-block", .block, token: "GROUP", parts: [Command.Argument("group"), Command.Argument("consumer")])
    private static let noAckArgument = Command.Argument("noack", .pureToken, token: "NOACK", isOptional: true)

    private func readGroup(_ invocation: Invocation, _ pending: PendingReply) {
        do throws(ReplyError) {
            let call = try ReadCall(invocation.request, isGroup: true)
            guard let group = call.group else { throw .syntax }
            let deadline = call.block.flatMap { Self.deadline($0) }
            // What a consumer was given before is there or not.
            let mayWait = call.block != nil && call.streams.allSatisfy { $0.start == .undelivered }
            // The request's bytes must not be kept for as long as the client waits.
            let words = Self.words(of: call, group, invocation.request)
            let (starts, client) = (Self.starts(of: call, invocation.request), invocation.client)
            let (limit, names) = (call.limit, GroupNames(invocation.request, at: group.place))
            withJournals(call.streams.map(\.name), invocation, pending) { journals in
                let streams = zip(call.streams, journals).map { FeedWait.Stream($0.name, $1) }
                let attempt = GroupAttempt(
                    store: store, words: words, starts: starts, names: streams.map { ($0.journal.key, $0.name) },
                    limit: limit)
                feed.answer(pending) {
                    do throws(ReplyError) {
                        try await bounds.checkConsumer(names, in: journals)
                    } catch {
                        return pending.answer(.error(error))
                    }
                    guard mayWait else {
                        // Nothing is given to a consumer that is gone before its turn comes.
                        return await pending.answer(cancellable: { await feed.inTurn { await attempt.run().reply } })
                    }
                    feed.wait(
                        FeedWait(streams: streams, purpose: .group(group.name), deadline: deadline),
                        by: VoiceFeed.Reader(client: client, pending: pending) { _ in await attempt.run() })
                }
            }
        } catch {
            pending.answer(.error(error))
        }
    }

    private static func words(of call: ReadCall, _ group: ReadCall.Group, _ request: Request) -> BulkStrings {
        var words = BulkStrings(["GROUP"])
        for place in [group.place, group.place + 1] {
            if let word = request[place] { words.append(word) }
        }
        if !call.acknowledges { words.append("NOACK") }
        return words
    }

    private static func starts(of call: ReadCall, _ request: Request) -> [String] {
        call.streams.map { request.text($0.place + call.streams.count) ?? "" }
    }
}

/// Looks in Redis for what a consumer gets, without waiting there.
private struct GroupAttempt: Sendable {
    let store: any ProjectionStore
    /// What stands before the count, but for the command's name.
    let words: BulkStrings
    /// What the client wants of each stream.
    let starts: [String]
    let names: [(key: String, name: String)]
    /// Entries of each stream, at most.
    let limit: Int

    func run() async -> StreamReading.Outcome {
        var rounds = GroupRounds(streams: names.count, limit: limit)
        while let round = rounds.next {
            do throws(StoreFailure) {
                let answers = try await store.answers([command(of: round, behind: rounds)])
                rounds.took(entries(in: answers.first?.elements ?? [], of: round), of: round)
            } catch {
                // What was given before is the consumer's: it gets that, and the error when it asks again.
                guard rounds.isEmpty else { break }
                return StreamReading.Outcome(error, names: names)
            }
        }
        let pairs = zip(names, rounds.found).compactMap { stream, entries in
            entries.map { Reply.Pair(.text(stream.name), .entries($0)) }
        }
        return pairs.isEmpty ? .nothing : .found(.pairs(pairs))
    }

    private func command(of round: GroupRounds.Round, behind rounds: GroupRounds) -> RedisCommand {
        var streams = BulkStrings(["COUNT", "\(round.count)", "STREAMS"])
        for stream in round.streams { streams.append(names[stream].key) }
        for stream in round.streams {
            let last = rounds.found[stream]?.last?.elements.first?.text
            // What was given for `>` is not given again.
            streams.append(starts[stream] == ">" ? ">" : last ?? starts[stream])
        }
        return RedisCommand(["XREADGROUP"], words, streams)
    }

    /// The streams of an answer, in the order in which they were asked for, but for those that have nothing.
    private func entries(
        in answer: [StoreReply], of round: GroupRounds.Round
    ) -> [(stream: Int, entries: [StoreReply])] {
        var rest = round.streams[...]
        return answer.compactMap { stream in
            let parts = stream.elements
            guard parts.count == 2, let key = parts[0].text else { return nil }
            while let next = rest.first, names[next].key != key { rest = rest.dropFirst() }
            return rest.popFirst().map { ($0, parts[1].elements) }
        }
    }
}

extension StreamReading.Outcome {
    /// What a client that does not wait is told.
    var reply: Reply {
        switch self {
        case .found(let reply): reply
        case .nothing: .nullArray
        case .unavailable: .unavailable
        }
    }
}
