package import Observability

extension VoiceFeed {
    /// Adds what there is of it to every scrape, for as long as it lives.
    package func install(in registry: MetricsRegistry) {
        registry.onScrape { [weak self] samples in
            guard let size = self?.size else { return }
            samples.set(.voiceJournals, to: Double(size.journals))
            samples.set(.voiceWaiting, [.kind: "read"], to: Double(size.clients - size.watches))
            samples.set(.voiceWaiting, [.kind: "watch"], to: Double(size.watches))
            samples.set(.voiceBytes, to: Double(size.bytes))
        }
    }
}
