/// Why a PostgreSQL operation failed.
///
/// `detail` of `.server` can quote row values, and a message can quote what was sent: `description`, which is what a log
/// may show, leaves the detail out. No case ever holds a password.
package enum PostgresError: Error, Hashable, Sendable {
    /// No connection came about: name resolution, refusal, TLS, a server that is not one.
    case connect(String)
    /// The server wants other credentials, or refuses this client (SQLSTATE class 28).
    case authentication(String)
    /// The server answered with an error. The connection goes on unless its next use says `.closed`.
    case server(sqlState: String, message: String, detail: String?, hint: String?)
    /// The connection is gone, or the server ended the stream. Whether the last command took effect is unknown.
    case closed(String)
    /// The deadline passed. The command was cancelled, but may have taken effect.
    case timeout
    /// The task was cancelled, and the command with it; it may have taken effect.
    case cancelled
    /// The server, or its result, is not what was asked for.
    case protocolViolation(String)

    /// The SQLSTATE of `.server`, such as `55006` (slot busy) or `42704` (publication missing).
    package var sqlState: String? {
        guard case .server(let sqlState, _, _, _) = self else { return nil }
        return sqlState
    }
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .connect(let reason): "cannot connect to PostgreSQL: \(reason)"
        case .authentication(let reason): "PostgreSQL refuses the credentials: \(reason)"
        case .server(let sqlState, let message, _, let hint):
            "PostgreSQL error \(sqlState): \(message)" + (hint.map { " (\($0))" } ?? "")
        case .closed(let reason): "the PostgreSQL connection is closed: \(reason)"
        case .timeout: "PostgreSQL did not answer in time"
        case .cancelled: "the PostgreSQL command was cancelled"
        case .protocolViolation(let reason): "unexpected answer from PostgreSQL: \(reason)"
        }
    }
}
