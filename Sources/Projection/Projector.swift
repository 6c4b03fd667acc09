internal import Journal
package import RegionConfig

/// Folds the journals in the local Redis into the state that readers use, until cancelled: provisioning, calls, agents, and
/// what is known of other regions.
package struct Projector: Sendable {
    private let provisioning: ProvisioningProjection
    private let voice: VoiceProjection
    private let control: ControlProjection?
    private let restating: Restating

    /// `tail` makes a reader for whoever has this name. Provisioning has a store of its own, so that a large transaction
    /// does not keep events waiting behind it; `progress` is told how far it has come.
    package init(
        catalog: Catalog, settings: VoiceProjection.Settings, limits: ProvisioningFold.Limits = .init(),
        provisioningStore: any ProjectionStore, voiceStore: any ProjectionStore,
        tail: @escaping @Sendable (String) -> any JournalTail, report: ProjectionReport,
        progress: ProvisioningProgress = ProvisioningProgress()
    ) {
        provisioning = ProvisioningProjection(
            journals: settings.regions.map { .provisioning(origin: $0) }, layouts: IndexLayouts(catalog),
            limits: limits, store: provisioningStore, tail: tail("provisioning"), report: report,
            progress: progress)
        voice = VoiceProjection(settings: settings, store: voiceStore, tail: tail, report: report)
        control =
            settings.peers.isEmpty
            ? nil
            : ControlProjection(
                region: settings.region, peers: settings.peers, tenants: settings.tenants, store: voiceStore,
                tail: tail("control"), report: report, progress: progress)
        restating = Restating(
            region: settings.region, peers: settings.peers, tenants: settings.tenants, store: voiceStore,
            report: report)
    }

    /// `voiceExecutor` is where the readers of voice journals should wait, of which there are many with little to do.
    package func run(voiceExecutor: (any TaskExecutor)? = nil) async {
        await withDiscardingTaskGroup { tasks in
            tasks.addTask { await provisioning.run() }
            tasks.addTask(executorPreference: voiceExecutor) { await voice.run() }
            tasks.addTask(executorPreference: voiceExecutor) { await control?.run() }
            tasks.addTask(executorPreference: voiceExecutor) { await restating.run() }
        }
    }
}
