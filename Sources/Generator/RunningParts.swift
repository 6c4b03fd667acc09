import NIOCore

/// What lives on the event loop while the generator produces.
final class RunningParts {
    /// Between changes that are measured, at least: 20 a second.
    private static let sampleInterval = TimeAmount.milliseconds(50)

    let voice: VoiceTraffic
    /// One a region.
    let watches: [CacheWatch]
    private var sampledAt = NIODeadline.uptimeNanoseconds(0)

    init(_ voice: VoiceTraffic, watches: [CacheWatch]) {
        self.voice = voice
        self.watches = watches
    }

    /// A transaction left these rows.
    func committed(_ rows: [CommittedRow], at time: NIODeadline) {
        var sample: CommittedRow?
        if time - sampledAt >= Self.sampleInterval {
            // The last one: it is seen when the whole transaction is.
            sample = rows.last { $0.isDistinct }
        }
        if sample != nil { sampledAt = time }
        for watch in watches { watch.committed(rows, sample: sample, at: time) }
    }

    func flush(to ledgers: Ledgers) {
        for (writer, ledger) in zip(voice.writers, ledgers.voice) {
            let fates = writer.takeFates()
            if !fates.isEmpty { ledger.record(fates) }
        }
        // Without ledgers nobody wants to know.
        if ledgers.voice.isEmpty { for writer in voice.writers { _ = writer.takeFates() } }
    }

    func takeReport(
        elapsed: Duration, since last: Duration, isFinal: Bool, _ provisioning: GeneratorReport.Provisioning,
        regions: [String]
    ) -> GeneratorReport {
        var provisioning = provisioning
        for (region, watch) in zip(regions, watches) {
            provisioning.visibleMs[region] = watch.total
            provisioning.lastSecondVisibleMs[region] = watch.takeRecent()
            provisioning.unseen[region] = watch.unseen
        }
        return voice.takeReport(elapsed: elapsed, since: last, isFinal: isFinal, provisioning)
    }
}
