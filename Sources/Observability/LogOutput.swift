internal import Glibc
package import Logging
internal import Synchronization

/// Where log lines go and how they look; makes the loggers of the process.
package struct LogOutput: Sendable {
    /// How a line is written.
    package enum Format: String, CaseIterable, Sendable {
        /// `ts=… level=info logger=capture msg="…" lsn=16/B374D848`
        case logfmt
        /// One JSON object a line, every value a string.
        case json
    }

    private let format: Format
    private let level: Logger.Level
    private let write: @Sendable ([UInt8]) -> Void

    /// Lines from `level` up, each handed whole, with its newline, to `write`, possibly from several threads at once.
    package init(format: Format, level: Logger.Level, write: @escaping @Sendable ([UInt8]) -> Void) {
        self.format = format
        self.level = level
        self.write = write
    }

    /// Lines on standard error, one `write(2)` each. When the reader of a pipe is slow the logging caller waits.
    package static func standardError(format: Format = .logfmt, level: Logger.Level = .info) -> LogOutput {
        let turn = Mutex(())
        return LogOutput(format: format, level: level) { line in
            turn.withLock { _ in writeAll(line, to: STDERR_FILENO) }
        }
    }

    /// A logger of our own code; `label` names the component.
    package func logger(_ label: String) -> Logger {
        Logger(label: label, factory: { handler(label: $0, provider: nil) })
    }

    /// Makes loggers that libraries create for themselves come here too. Once a process.
    package func installForLibraries() {
        LoggingSystem.bootstrap({ handler(label: $0, provider: $1) }, metadataProvider: nil)
    }

    private func handler(label: String, provider: Logger.MetadataProvider?) -> any LogHandler {
        LineLogHandler(label: label, format: format, logLevel: level, metadataProvider: provider, write: write)
    }
}

/// Writes each event as one line.
private struct LineLogHandler: LogHandler {
    let label: String
    let format: LogOutput.Format
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    let write: @Sendable ([UInt8]) -> Void

    init(
        label: String, format: LogOutput.Format, logLevel: Logger.Level, metadataProvider: Logger.MetadataProvider?,
        write: @escaping @Sendable ([UInt8]) -> Void
    ) {
        self.label = label
        self.format = format
        self.logLevel = logLevel
        self.metadataProvider = metadataProvider
        self.write = write
    }

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { own, _ in own } }
        if let given = event.metadata { fields.merge(given) { _, given in given } }
        if let error = event.error { fields[LogKey.error.rawValue] = "\(error)" }
        var line = LogLine(format: format)
        line.append(key: "ts", value: Timestamp.now.description)
        line.append(key: "level", value: event.level.rawValue)
        line.append(key: "logger", value: label)
        line.append(key: "msg", value: event.message.description)
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) { line.append(key: key, value) }
        write(line.finished())
    }
}

private func writeAll(_ bytes: [UInt8], to descriptor: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
        let written = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if written < 0 && errno == EINTR { continue }
        guard written > 0 else { return }  // nobody left to tell
        rest = rest.dropFirst(written)
    }
}
