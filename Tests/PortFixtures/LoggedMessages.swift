package import Logging
import Synchronization

/// How often what was logged, for tests that wait until something was tried.
package final class LoggedMessages: Sendable {
    private struct Handler: LogHandler {
        let messages: LoggedMessages
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { messages.note(event.message.description) }
    }

    private let counts = Mutex<[String: Int]>([:])

    package init() {}

    package var logger: Logger { Logger(label: "test", factory: { _ in Handler(messages: self) }) }

    package func count(of message: String) -> Int { counts.withLock { $0[message, default: 0] } }

    private func note(_ message: String) { counts.withLock { $0[message, default: 0] += 1 } }
}
