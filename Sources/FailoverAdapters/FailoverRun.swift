internal import Connections
package import Failover
internal import Observability
package import RegionConfig

/// A region file becomes a failover or failback to that region.
package struct FailoverRun: Sendable {
    private let kind: FailoverMachine.Kind
    private let region: Region
    private let acceptedLoss: AcceptedLoss
    private let isDryRun: Bool
    private let evenIfAlive: Bool

    /// `acceptedLoss` nil: the region file's budget. `evenIfAlive`: the other region may live, and is given up all the same.
    package init(
        _ kind: FailoverMachine.Kind, to region: Region, acceptedLoss: AcceptedLoss?, isDryRun: Bool,
        evenIfAlive: Bool = false
    ) {
        self.kind = kind
        self.region = region
        self.acceptedLoss = acceptedLoss ?? .budget(UInt64(region.failover.maximumLoss))
        self.isDryRun = isDryRun
        self.evenIfAlive = evenIfAlive
    }

    /// Runs it; `progress` is told of every step when it ends.
    package func run(progress: @escaping @Sendable (StepRecord) -> Void) async -> FailoverReport {
        let settings = FailoverMachine.Settings(
            kind: kind, region: region.name, peers: region.peers.map(\.region), acceptedLoss: acceptedLoss,
            hasFence: !region.failover.fence.isEmpty, hasPromote: !region.failover.promote.isEmpty,
            isDryRun: isDryRun, evenIfAlive: evenIfAlive)
        let standby = region.postgresStandby(purpose: "failover")
        let decidedAt = Timestamp.now.description
        let machine = await Failover(
            settings, database: PostgresFailoverDatabase(standby),
            region: RedisFailoverRegion(region: region, database: standby),
            hooks: HookCommands(region: region.name, failover: region.failover), progress: progress
        ).run()
        return FailoverReport(machine, decidedAt: decidedAt)
    }
}
