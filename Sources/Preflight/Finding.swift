/// One thing that was looked at, and what was found.
package struct Finding: Hashable, Sendable, Encodable {
    /// In rising order.
    package enum Severity: String, Hashable, Sendable, Encodable, CaseIterable {
        /// As it must be.
        case ok
        /// The worker runs, but something is worth knowing.
        case warning
        /// The worker would not start, would stop, or would not keep its promises.
        case error
    }

    package let severity: Severity
    /// The server or address it was found at: `redis 127.0.0.1:6379`.
    package let place: String
    /// What was looked at: `eviction policy`. With the place it names a finding of one region file.
    package let subject: String
    /// What is so, in one line; never a secret or a row's value.
    package let statement: String
    /// What mends it.
    package let remedy: Remedy?

    /// A finding at `place`.
    package init(
        _ severity: Severity, at place: String, _ subject: String, _ statement: String, _ remedy: Remedy? = nil
    ) {
        self.severity = severity
        self.place = place
        self.subject = subject
        // Errors of servers come with line ends and tabs of their own.
        self.statement = statement.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        self.remedy = remedy
    }
}

/// What mends a finding: commands to be run one by one, as they stand.
package struct Remedy: Hashable, Sendable, Encodable {
    /// Where the commands are typed.
    package enum Means: String, Hashable, Sendable, Encodable {
        /// SQL, in the region file's database, as a superuser or the owner of the table.
        case sql
        /// Commands for `redis-cli`.
        case redis
        /// Commands of the operating system, and of `regionsync`.
        case shell
    }

    package let means: Means
    /// In order, each complete, without `;` at the end. Empty where words must do.
    package let commands: [String]
    /// What else to know or to do, in words.
    package let note: String?

    /// Statements, each to be run outside a transaction.
    package static func sql(_ commands: String..., note: String? = nil) -> Remedy {
        sql(commands, note: note)
    }

    /// Statements, each to be run outside a transaction.
    package static func sql(_ commands: [String], note: String? = nil) -> Remedy {
        Remedy(means: .sql, commands: commands, note: note)
    }

    /// Commands for `redis-cli`, at the finding's place.
    package static func redis(_ commands: String..., note: String? = nil) -> Remedy {
        Remedy(means: .redis, commands: commands, note: note)
    }

    /// Commands of the operating system.
    package static func shell(_ commands: String..., note: String? = nil) -> Remedy {
        Remedy(means: .shell, commands: commands, note: note)
    }

    /// Words alone.
    package static func words(_ note: String) -> Remedy {
        Remedy(means: .shell, commands: [], note: note)
    }
}
