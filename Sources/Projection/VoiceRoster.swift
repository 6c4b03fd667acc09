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
    }

    func measured(_ group: Int, lag: Int64?) { lags[group] = lag }

    /// Entries that are not in state, over all groups; nil where that is unknown of one.
    var lag: Int64? { lags.count == groups.count ? lags.values.reduce(0, &+) : nil }

    /// Journals that are left out, and what their keys hold, over all groups.
    var leftOut: [JournalName: String] {
        strays.values.reduce(into: [:]) { all, some in all.merge(some) { $1 } }
    }

    /// How all groups together do.
    var state: ComponentState {
        guard let trouble = troubles.min(by: { $0.key < $1.key }) else { return ComponentState("projecting", .working) }
        return ComponentState(
            "waiting", .waiting, reason: "\(troubles.count) of \(groups.count) groups of tenants wait: \(trouble.value)"
        )
    }
}
