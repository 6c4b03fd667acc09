/// Why connecting failed, from libpq's text: while connecting, nothing else carries the SQLSTATE.
struct ConnectFailure {
    let error: PostgresError

    init(_ handle: borrowing PQHandle) {
        self.init(message: handle.errorMessage, needsPassword: handle.needsPassword)
    }

    /// `message` is verbose: `… FATAL:  28P01: password authentication failed for user "x" LOCATION:  auth_failed, …`.
    init(message: String, needsPassword: Bool) {
        guard let match = message.firstMatch(of: /:  ([0-9A-Z]{5}): (.*)/) else {
            error = needsPassword ? .authentication(message) : .connect(message)
            return
        }
        let sqlState = String(match.1)
        let next = match.2.firstMatch(of: /\s[A-Z]+:\s\s/)?.range.lowerBound
        let text = String(match.2.prefix(upTo: next ?? match.2.endIndex))
        error =
            sqlState.hasPrefix("28")
            ? .authentication(text) : .server(sqlState: sqlState, message: text, detail: nil, hint: nil)
    }
}
