internal import Journal
internal import Observability

/// Which group follows which tenant. Groups only grow.
actor VoiceRoster {
    private let tenantsPerGroup: Int
    private var groups: [[String]] = []
    private var known: Set<String> = []
    /// Groups that do not project now, and why.
    private var troubles: [Int: String] = [:]
    /// Journals that groups leave out, and what their keys hold.
    private var strays: [Int: [JournalName: String]] = [:]
    /// Journals of other regions that are not known to be whole, of the groups that have looked.
    private var incomplete: [Int: [JournalName: Wholeness]] = [:]
    private var awaited = AwaitedPeers()
    /// Some group began behind other cursors since the last look.
    private var isAnew = true
    /// Entries that are not in state, of the groups of which that is known.
    private var lags: [Int: Int64] = [:]

    init(tenantsPerGroup: Int) { self.tenantsPerGroup = tenantsPerGroup }

    /// Takes tenants on; answers the groups that this began.
    func enrol(_ tenants: [String]) -> Range<Int> {
        let before = groups.count
        for tenant in tenants where known.insert(tenant).inserted {
            if groups.last.map({ $0.count < tenantsPerGroup }) != true {
                troubles[groups.count] = "begins"
                groups.append([])
            }
            groups[groups.count - 1].append(tenant)
        }
        return before..<groups.count
    }

    func tenants(of group: Int) -> [String] { groups[group] }

    func isFull(_ group: Int) -> Bool { groups[group].count >= tenantsPerGroup }

    func works(_ group: Int, leavingOut strays: [JournalName: String]) {
        troubles[group] = nil
        self.strays[group] = strays.isEmpty ? nil : strays
    }

    func failed(_ group: Int, _ failure: StoreFailure) {
        troubles[group] = "\(failure)"
        lags[group] = nil
        guard failure.isCursorMoved else { return }
        incomplete[group] = nil
        isAnew = true
    }

    func looked(_ group: Int, incomplete journals: [JournalName: Wholeness]) { incomplete[group] = journals }

    func measured(_ group: Int, lag: Int64?) { lags[group] = lag }

    /// Entries that are not in state, over all groups; nil where that is unknown of one.
    var lag: Int64? { lags.count == groups.count ? lags.values.reduce(0, &+) : nil }

    /// Journals that are left out, and what their keys hold, over all groups.
    var leftOut: [JournalName: String] {
        strays.values.reduce(into: [:]) { all, some in all.merge(some) { $1 } }
    }

    /// Of which journals of regions that do not count as down something is missing, over all groups.
    func lacking(except down: Set<String>) -> [LackingJournal] {
        incomplete.values.joined().compactMap { journal, wholeness in
            guard case .lacking(let through, let isFirst) = wholeness, !down.contains(journal.origin) else {
                return nil
            }
            return LackingJournal(journal: journal, through: through, isFirst: isFirst)
        }.sorted { $0.journal < $1.journal }
    }

    /// How all groups together do at `now`, by a clock that does not jump; `peers` are those that do not count as down.
    func state(lacking: [LackingJournal], peers: [String], at now: Duration) -> ComponentState {
        let awaited = awaited.looked(unknown: unknown(of: peers), of: known.count, anew: isAnew, at: now)
        isAnew = false
        if let trouble = troubles.min(by: { $0.key < $1.key }) {
            return ComponentState(
                "waiting", .waiting,
                reason: "\(troubles.count) of \(groups.count) groups of tenants wait: \(trouble.value)")
        }
        let isNew = lacking.contains(where: \.isFirst)
        if !isNew, let peer = awaited.first {
            return ComponentState(
                "awaiting-peers", .waiting,
                reason:
                    "nothing was heard of \(peer) here yet: whether its live calls and agents are missing is not known")
        }
        guard let first = lacking.first else { return ComponentState("projecting", .working) }
        return ComponentState(
            "restating", isNew ? .waiting : .degraded,
            reason: "of \(lacking.count) voice journals entries were trimmed before they came here, first "
                + "\(first.journal.key): their regions are asked to restate their live calls and agents",
            advice: "if this lasts, look at the mirror links from and to those regions, and at their workers")
    }

    /// Of how many tenants each of the regions has not said whether something is missing here.
    private func unknown(of peers: [String]) -> [String: Int] {
        let unseen = groups.indices.filter { incomplete[$0] == nil }.reduce(0) { $0 + groups[$1].count }
        var counts = Dictionary(uniqueKeysWithValues: peers.map { ($0, unseen) })
        for (journal, wholeness) in incomplete.values.joined() where wholeness == .unknown {
            if let count = counts[journal.origin] { counts[journal.origin] = count + 1 }
        }
        return counts
    }
}
