internal import Journal
internal import Projection
internal import RESP

/// Who waits for what of which journals, and what is known of those: facts in, actions out (journal.md, "Mirror rules" 9).
///
/// A journal that anybody waits for is followed from then on, and for a while after. It begins with a look at it, which
/// tells its last ID; from there on a reader reads. Looks are repeated, since a journal may be born again.
///
/// Of looks and reads it is told at times that go on while the machine is suspended; deadlines have a time of their own.
struct FeedMachine<Client: Sendable>: Sendable {
    struct Settings: Hashable, Sendable {
        /// Streams that one connection reads.
        var streamsPerReader = 32
        /// Bytes of recent entries kept of one journal, and of all.
        var streamBytes = 512 << 10
        var totalBytes = 64 << 20
        /// How long a journal is followed that nobody waits for.
        var linger = Duration.seconds(60)
        /// How often journals are looked at; with more than a thousand less often.
        var lookInterval = Duration.seconds(1)
        /// How soon a journal is looked at again for who was not answered.
        var lookPause = Duration.milliseconds(50)
        /// How long journals that cannot be read may be read in vain before who waits for them is told.
        var refusalPatience = Duration.seconds(2)
        /// How far answers of a reader may be apart for what they hold to follow: where the worker was stopped for longer, a
        /// trim may have overtaken it.
        var longestRead = SentRead.patience + .seconds(1)
    }

    enum Action: Sendable {
        /// Send the client what it waited for.
        case answer(Client, Reply)
        /// Look in Redis for what the client waits for, without waiting there; report `found` or `foundNothing`.
        case read(waiter: Int, Client, FeedWait)
        /// Send clients with such a watch what came; nil: what came is not all that there was, or what there was is no more.
        case push([Client], watch: Int64, region: String, EntryChunk?)
        /// Have a new reader read, each time what is `wanted` by it.
        case start(reader: Int)
        /// Have the reader ask again what is wanted.
        case interrupt(reader: Int)
        /// There are journals to look at.
        case look
        /// Tell operators.
        case report(FeedStanding)
    }

    let settings: Settings
    var streams: [Int: Stream] = [:]
    var numbers: [JournalName: Int] = [:]
    var waiters: [Int: Waiter] = [:]
    var readers: [Int: Reader] = [:]
    var deadlines = Deadlines()
    /// Parked though there is something to be looked for: Redis did not answer, them or another of their group.
    var unanswered: Set<Int> = []
    /// What the recent entries of all journals take of memory.
    var keptBytes = 0
    /// Whether Redis did not answer when it was asked last.
    var isAway = false
    /// Journals that cannot be read, though they can be looked at.
    var troubles: [Int: Trouble] = [:]
    /// Replies that were made since something was read last, for who asks the same.
    var recentReplies: [(places: [Place], limit: Int, reply: Reply)] = []
    private var actions: [Action] = []
    /// What operators were told last.
    private var reported = FeedStanding.following
    private var lastNumber = 0

    init(settings: Settings = Settings()) {
        self.settings = settings
    }

    /// What is to be done, in order.
    mutating func takeActions() -> [Action] {
        let standing = standing
        if standing != reported {
            reported = standing
            actions.append(.report(standing))
        }
        guard !actions.isEmpty else { return [] }
        defer { actions.removeAll() }
        return actions
    }

    mutating func act(_ action: Action) { actions.append(action) }

    /// A number that no stream, waiter or reader had.
    mutating func number() -> Int {
        lastNumber += 1
        return lastNumber
    }

    /// How well journals can be followed.
    var standing: FeedStanding {
        if isAway { return .away }
        guard let trouble = troubles.values.first(where: { $0.isLasting }) else { return .following }
        return .refused(trouble.failure)
    }
}
