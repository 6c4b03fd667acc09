/// Why the generator cannot go on. What comes and goes (a server away, a refused transaction) is no such error.
package enum GeneratorError: Error, Hashable, Sendable {
    /// What was asked for cannot be done.
    case setting(String)
    /// The database has no provisioning schema, or an older one.
    case schema(database: String, problem: String)
    /// PostgreSQL does not let the role in, or not do what is needed.
    case permission(user: String, problem: String)
    /// PostgreSQL is needed now and not there, or answers what it should not.
    case postgres(String)
    /// A ledger or report cannot be written.
    case file(path: String, problem: String)
}

extension GeneratorError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .setting(let problem): problem
        case .schema(let database, let problem):
            "database \(database) \(problem): run `regionsync migrate`"
        case .permission(let user, let problem):
            "role \(user) cannot fill PostgreSQL: \(problem); give one that can with --postgres-user (regionsync_write)"
        case .postgres(let problem): problem
        case .file(let path, let problem): "cannot write \(path): \(problem)"
        }
    }
}
