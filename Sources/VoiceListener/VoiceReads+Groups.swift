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
                arguments: [
                    Command.Argument(
                        "group-block", .block, token: "GROUP",
                        parts: [Command.Argument("group"), Command.Argument("consumer")])
                ] + Self.readArguments),
            handler: .deferred { readGroup($0, $1) })
    }

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
            withJournals(call.streams.map(\.name), invocation, pending) { journals in
                let names = zip(journals, call.streams).map { (key: $0.key, name: $1.name) }
                let attempt = GroupAttempt(store: store, words: words, starts: starts, names: names)
                if mayWait {
                    let streams = zip(call.streams, journals).map { FeedWait.Stream($0.name, $1) }
                    feed.wait(
                        FeedWait(streams: streams, purpose: .group(group.name), deadline: deadline),
                        by: VoiceFeed.Reader(client: client, pending: pending) { _ in await attempt.run() })
                } else {
                    feed.answer(pending) { pending.answer(await attempt.run().reply) }
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
        words.append(contentsOf: BulkStrings(["COUNT", "\(call.limit)"]))
        if !call.acknowledges { words.append("NOACK") }
        words.append("STREAMS")
        return words
    }

    private static func starts(of call: ReadCall, _ request: Request) -> BulkStrings {
        var starts = BulkStrings()
        for stream in call.streams {
            if let word = request[stream.place + call.streams.count] { starts.append(word) }
        }
        return starts
    }
}

/// Looks in Redis for what a consumer gets, without waiting there.
private struct GroupAttempt: Sendable {
    let store: any ProjectionStore
    /// Everything between the command's name and the keys.
    let words: BulkStrings
    let starts: BulkStrings
    let names: [(key: String, name: String)]

    func run() async -> StreamReading.Outcome {
        var keys = BulkStrings()
        for (key, _) in names { keys.append(key) }
        do throws(StoreFailure) {
            let answers = try await store.answers([RedisCommand(["XREADGROUP"], words, keys, starts)])
            let pairs = StreamReading.pairs(answers.first?.elements ?? [], names: names)
            return pairs.isEmpty ? .nothing : .found(.pairs(pairs))
        } catch {
            return StreamReading.Outcome(error, names: names)
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
