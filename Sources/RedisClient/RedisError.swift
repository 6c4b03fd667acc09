/// What can go wrong on a connection to Redis.
///
/// All but `server`, thrown for a command, end the connection. A command that was in flight then may or may not have been carried out.
package enum RedisError: Error, Hashable, Sendable {
    /// No connection could be made: refused, unknown host.
    case connect(reason: String)
    /// No connection could be made: nothing answered in time.
    case noAnswer(reason: String)
    /// The TLS handshake failed, or a certificate or key file is unusable.
    case tls(reason: String)
    /// The server wants other credentials (WRONGPASS, NOAUTH, or any error in answer to AUTH).
    case authentication(message: String)
    /// The connection is closed, by either side.
    case closed
    /// An answer did not come in time; the connection was given up.
    case timeout
    /// The server sent what is no RESP2 reply, or a reply that was not asked for.
    case protocolViolation(reason: String)
    /// The answer to this command is beyond the limits of a reply. What else was in flight fails with `.closed`.
    case tooLarge(reason: String)
    /// The server answered with an error; the connection is as good as before.
    ///
    /// `code` is the error's first word (READONLY, OOM, CURSOR, …), `message` what stands behind it.
    case server(code: String, message: String)
}

extension RedisError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .connect(let reason), .noAnswer(let reason): "cannot connect: \(reason)"
        case .tls(let reason): "TLS failed: \(reason)"
        case .authentication(let message): "not authenticated: \(message)"
        case .closed: "connection closed"
        case .timeout: "no answer in time"
        case .protocolViolation(let reason): "not a Redis reply: \(reason)"
        case .tooLarge(let reason): reason
        case .server(let code, let message): message.isEmpty ? code : "\(code) \(message)"
        }
    }
}

extension RedisError {
    /// Whether nothing was heard of the server in time, rather than that it, or its host, said no.
    package var isSilence: Bool {
        switch self {
        case .noAnswer, .timeout: true
        case .connect, .tls, .authentication, .closed, .protocolViolation, .tooLarge, .server: false
        }
    }

    /// The error in an error line, without its `-`.
    init(errorLine line: Substring) {
        let code = line.prefix { $0 != " " }
        self = .server(code: String(code), message: String(line.dropFirst(code.count + 1)))
    }
}
