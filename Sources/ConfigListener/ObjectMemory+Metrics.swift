package import Observability

extension ObjectMemory {
    /// Adds what there is of it to every scrape, for as long as it lives.
    package func install(in registry: MetricsRegistry) {
        registry.onScrape { [weak self] samples in
            guard let usage = self?.usage else { return }
            samples.set(.configCacheObjects, to: Double(usage.objects))
            samples.set(.configCacheBytes, to: Double(usage.bytes))
            samples.set(.configCacheReads, [.result: "hit"], to: Double(usage.hits))
            samples.set(.configCacheReads, [.result: "miss"], to: Double(usage.misses))
        }
    }
}
