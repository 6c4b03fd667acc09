/// What the feed's machine wants done while somebody is still at what it wanted before.
struct FeedBacklog<Client: Sendable>: Sendable {
    typealias Action = FeedMachine<Client>.Action

    /// How many actions may wait, a push counted for each of its clients, and bytes of entries in them, before readers read
    /// no more.
    static var actionLimit: Int { 1_000 }
    static var byteLimit: Int { 16 << 20 }

    private var actions: [Action] = []
    /// What pushes to several clients count besides.
    private var copies = 0
    private var bytes = 0

    /// Whether readers had better wait until it is taken.
    var isLarge: Bool { actions.count + copies > Self.actionLimit || bytes > Self.byteLimit }

    mutating func add(_ new: [Action]) {
        for case .push(let clients, _, _, let chunk) in new {
            copies += max(clients.count - 1, 0)
            bytes += chunk?.byteCount ?? 0
        }
        if actions.isEmpty { actions = new } else { actions += new }
    }

    /// All of it, in the order in which it came.
    mutating func takeAll() -> [Action] {
        defer { self = FeedBacklog() }
        return actions
    }
}
