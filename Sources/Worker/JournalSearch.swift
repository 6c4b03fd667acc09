internal import Journal
internal import RESP
internal import RedisClient

/// A walk over the keys of the region's Redis, again and again, for voice journals of tenants that nobody has named: anyone
/// may begin one with XADD. It takes a step at a time, and rests so long between them that Redis spends no more than a
/// twentieth of its time on it, however many keys there are.
struct JournalSearch {
    private static let pattern = "rs:{*}:\(Topic.voice.rawValue):*"
    /// From the end of one walk to the next.
    private static let interval = Duration.seconds(60)
    /// A step is followed by a rest of so many times its length.
    private static let restPerStep = 20

    private let regions: Set<String>
    private var cursor = "0"
    /// Whose keys `cursor` stands among: another server's cursors are others.
    private var walked: RedisConnection?
    /// When the next step is to be taken.
    private(set) var dueAt = ContinuousClock.now
    /// Whether a walk has seen all keys.
    private(set) var hasSeenAll = false

    /// For journals born in these regions.
    init(regions: Set<String>) { self.regions = regions }

    /// Takes a step; answers the tenants of the journals that it came upon.
    mutating func step(through connection: RedisConnection) async -> Set<String> {
        let began = ContinuousClock.now
        if walked !== connection { cursor = "0" }
        walked = connection
        let command = RedisCommand("SCAN", cursor, "MATCH", Self.pattern, "COUNT", "1000", "TYPE", "stream")
        guard let reply = try? await connection.send(command), let next = reply[0]?.string, let keys = reply[1] else {
            dueAt = .now + .seconds(1)
            return []
        }
        cursor = next
        let end = ContinuousClock.now
        dueAt = end + (next == "0" ? Self.interval : (end - began) * Self.restPerStep)
        if next == "0" { hasSeenAll = true }
        return Set(keys.elements.compactMap(\.string).compactMap { tenant(ofKey: $0) })
    }

    /// Nil for what is no voice journal of these regions, or not of a tenant by its dbid.
    private func tenant(ofKey key: String) -> String? {
        guard let journal = JournalName(key: key), journal.topic == .voice, regions.contains(journal.origin),
            let dbid = Int64(journal.tenant), dbid > 0, journal.tenant == "\(dbid)"
        else { return nil }
        return journal.tenant
    }
}
