/// Why a connection was not let in, was cut off, or a login was refused: the label `reason` of
/// `regionsync_listener_rejected_total`.
enum Rejection: String, CaseIterable, Error, Hashable, Sendable {
    /// Too many connections in all.
    case clients
    case clientsPerSource = "clients_per_source"
    /// It came while the port was closing.
    case draining
    /// No login, or no request, in time.
    case handshake
    /// No TLS, or no certificate that we trust.
    case tls
    /// A wrong secret.
    case login
    /// Not even looked at, after too many wrong ones.
    case throttled
    /// Its account was taken away, or may something else, while it watched or waited for something.
    case account
    /// Bytes that are no request, or one beyond the limits.
    case request
    /// Silent for too long.
    case idle
    /// Too much waited for it for too long, and it took too little.
    case stalled
    /// More waited for it than may.
    case output
    /// More waited for all clients than may, and it took nothing, or was the one that made it too much.
    case outputTotal = "output_total"
    /// More was kept of what all clients sent than may be, and of this one for longest.
    case inputTotal = "input_total"
    /// Its commands were not over when the port had to close.
    case drainTime = "drain_time"
}
