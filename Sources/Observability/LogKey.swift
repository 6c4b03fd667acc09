package import Logging

/// Every metadata key a log line of ours may carry.
///
/// Keys name places, positions, counts and causes; none carries a column, a field or an event value (style.md, Logs).
package enum LogKey: String, CaseIterable, Sendable {
    case region
    case peer
    case tenant
    case component
    case state
    case previousState = "state.previous"
    case reason
    case advice
    case error
    case errorCode = "error.code"
    case errorPosition = "error.position"

    case journal
    case journalTopic = "journal.topic"
    case journalOrigin = "journal.origin"
    case journalLineage = "journal.lineage"
    case entryID = "entry.id"
    case entryFirst = "entry.first"
    case entryLast = "entry.last"
    case cursor
    case cursorExpected = "cursor.expected"
    case cursorFound = "cursor.found"

    case lsn
    case lsnConfirmed = "lsn.confirmed"
    case slot
    case publication
    case timeline
    case history
    case systemID = "system.id"
    case transactionID = "transaction.id"
    /// A key of Redis, without the value that the key of an index names.
    case key
    case table
    case objectType = "object.type"
    case relationID = "relation.id"

    case count
    case entries
    case transactions
    case changes
    case objects
    case objectsGone = "objects.gone"
    case kind
    case unsettled
    case journals
    case bytes
    case lagBytes = "lag.bytes"
    case lagEntries = "lag.entries"
    case duration
    case delay
    case deadline
    case attempt

    case host
    case port
    case endpoint
    case connectionID = "connection.id"
    case clientAddress = "client.address"
    case account
    case serverVersion = "server.version"
    case command
    case path
    case status

    case file
    case configKey = "config.key"
    case signal
    case processID = "process.id"
    case version
    case seed
    case kafkaTopic = "kafka.topic"
}

/// What a log line says beside its message: values under keys from the one list.
package typealias LogFields = [LogKey: Logger.MetadataValue]

extension Logger {
    /// Logs a constant message with keys from the one list.
    package func log(
        _ level: Logger.Level, _ message: StaticString, _ fields: @autoclosure () -> LogFields,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: level, "\(message)", metadata: Logger.Metadata(fields()), file: file, function: function, line: line)
    }

    /// Logs a batch or another everyday step.
    package func debug(
        _ message: StaticString, _ fields: @autoclosure () -> LogFields,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(.debug, message, fields(), file: file, function: function, line: line)
    }

    /// Logs a change of state.
    package func info(
        _ message: StaticString, _ fields: @autoclosure () -> LogFields,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(.info, message, fields(), file: file, function: function, line: line)
    }

    /// Logs a fault that mends itself.
    package func warning(
        _ message: StaticString, _ fields: @autoclosure () -> LogFields,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(.warning, message, fields(), file: file, function: function, line: line)
    }

    /// Logs a fault that needs an operator.
    package func error(
        _ message: StaticString, _ fields: @autoclosure () -> LogFields,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(.error, message, fields(), file: file, function: function, line: line)
    }

    /// The same logger with fields on every line from here on.
    package func with(_ fields: LogFields) -> Logger {
        var logger = self
        for (key, value) in fields { logger[metadataKey: key.rawValue] = value }
        return logger
    }
}

extension Logger.Metadata {
    fileprivate init(_ fields: LogFields) {
        self.init(minimumCapacity: fields.count)
        for (key, value) in fields { self[key.rawValue] = value }
    }
}
