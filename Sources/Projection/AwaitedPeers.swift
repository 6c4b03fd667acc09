/// Regions of which nothing was ever heard here: whether this one lacks what they have is not known before their links
/// have looked at the copies. A region that is new, or was emptied, waits for them, but not for ever: they may not be
/// there.
package struct AwaitedPeers: Sendable {
    private static let patience = Duration.seconds(10)

    /// Since when each is awaited.
    private var since: [String: Duration] = [:]

    package init() {}

    /// Those that are awaited still at `now`; `unknown` says of how many of so many tenants each has said nothing. A
    /// projection that begins `anew`, behind other cursors than before, awaits also those that have said something.
    package mutating func looked(
        unknown: [String: Int], of tenants: Int, anew: Bool = false, at now: Duration
    ) -> [String] {
        since = since.filter { unknown[$0.key] != nil }
        for (peer, count) in unknown {
            if count == tenants || anew && count > 0 {
                since[peer] = since[peer] ?? now
            } else if count == 0 || since[peer].map({ now - $0 >= Self.patience }) == true {
                since[peer] = nil
            }
        }
        return since.filter { now - $0.value < Self.patience }.keys.sorted()
    }
}
