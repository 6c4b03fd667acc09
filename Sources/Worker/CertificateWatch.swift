package import Logging
package import Observability
internal import RedisClient
package import RegionConfig

/// Watches until when the certificates are valid that a worker shows, so that nobody learns of the end of one by a link that
/// is refused.
package struct CertificateWatch: Sendable {
    private let files: [(name: String, path: String)]
    private let metrics: MetricsRegistry
    private let logger: Logger

    /// The certificates that the region file names: `redis`, `postgres`, `peers <region>`, `listeners <name>`.
    package init(of region: Region, metrics: MetricsRegistry, logger: Logger) {
        var files: [(name: String, path: String?)] = [
            ("redis", region.redis.tls?.certFile), ("postgres", region.postgres.tls?.certFile),
        ]
        files += region.peers.map { ("peers \($0.region)", $0.redis.tls?.certFile) }
        files += region.listeners.opened.map { ("listeners \($0.name)", $0.listener.tls?.certFile) }
        self.files = files.compactMap { file in file.path.map { (file.name, $0) } }
        self.metrics = metrics
        self.logger = logger
    }

    /// Looks now and once an hour, until cancelled: a file may be replaced at any time.
    package func run() async {
        while !Task.isCancelled {
            await look()
            try? await Task.sleep(for: .seconds(3600))
        }
    }

    /// One look.
    package func look() async {
        for (name, path) in files {
            let gauge = metrics.gauge(.certificateNotAfterTimestampSeconds, [.certificate: name])
            do throws(RedisError) {
                gauge.set(Double(try await CertificateFile.notAfter(of: path)))
            } catch {
                gauge.set(nil as Double?)
                logger.warning("A certificate cannot be read", [.file: "\(path)", .error: "\(error)"])
            }
        }
    }
}
