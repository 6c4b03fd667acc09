internal import Journal
internal import Projection
internal import RESP

/// A command about one stream that the region's Redis answers: with the journal's key in the name's place.
struct PassedCommand: Sendable {
    /// All words, the name at `place` replaced.
    private let words: BulkStrings
    private let journal: JournalName
    /// What the client calls the stream.
    private let name: String

    /// What the client sent, with `name` at `place`. `replaced` are words that are sent instead of those at their places,
    /// where an empty run leaves the word out; `more` are sent behind all.
    init(
        _ request: Request, place: Int, name: String, journal: JournalName, replaced: [Int: BulkStrings] = [:],
        more: [String] = []
    ) {
        var words = BulkStrings(capacity: request.byteCount + 64)
        for index in 0..<request.count {
            if index == place {
                words.append(journal.key)
            } else if let other = replaced[index] {
                words.append(contentsOf: other)
            } else if let word = request[index] {
                words.append(word)
            }
        }
        for word in more { words.append(word) }
        self.words = words
        self.journal = journal
        self.name = name
    }

    /// A command without a stream.
    static func plain(_ request: Request) -> RedisCommand {
        var words = BulkStrings()
        for index in 0..<request.count {
            if let word = request[index] { words.append(word) }
        }
        return RedisCommand([], words)
    }

    var command: RedisCommand { RedisCommand([], words) }

    /// What the client is told of what Redis answered.
    func reply(_ result: Result<StoreReply, StoreFailure>?, as shape: StreamReplies.Shape) -> Reply {
        switch result {
        case .success(let reply)?: StreamReplies.reply(reply, as: shape)
        case .failure(let failure)?: .error(ReplyError(failure, names: [(journal.key, name)]))
        case nil: .unavailable
        }
    }
}
