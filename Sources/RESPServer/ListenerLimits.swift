package import RESP

/// What clients of a port may use up (operations.md, Security).
package struct ListenerLimits: Hashable, Sendable {
    /// Requests of who has not logged in, and of who has.
    package var requestsBeforeLogin: RequestLimits = .beforeAuthentication
    package var requestsAfterLogin: RequestLimits = .afterAuthentication

    /// How long a client may take to log in, the TLS handshake included; where nobody has to, to send a first request.
    package var handshakeTime = Duration.seconds(10)
    /// How long a client may send nothing while it waits for nothing and watches nothing.
    package var idleTime = Duration.seconds(600)
    /// How long a client may leave more waiting for it than it may before its commands pause (`outputPause`), and take next to
    /// nothing of that; while it takes some, ten times as long.
    package var stallTime = Duration.seconds(30)
    /// How long, once the port closes, commands that have begun may go on.
    package var drainTime = Duration.seconds(10)

    /// Bytes that may wait for a client that has not logged in, or has, to take them; beyond, it is cut off.
    package var outputBytesBeforeLogin = 1 << 10
    package var outputBytes = 32 << 20
    /// Bytes that may wait for all those clients together that take less than they are sent; beyond, those that take nothing
    /// are cut off; where all take something, the one that made it too much.
    package var totalOutputBytes = 256 << 20
    /// Bytes that may be kept of what clients sent, those together of which more than a few KiB are: of commands that are not
    /// whole, have to wait or are not over, and of transactions. Beyond, who has not got on for longest has to go.
    package var totalInputBytes = 256 << 20
    /// Bytes waiting for a client above which no more of its commands are run, and below which they are again. What it is
    /// sent above that in one turn of the event loop makes the rest wait for the next.
    package var outputPause = 64 << 10...256 << 10
    /// Bytes of requests kept while an earlier command runs; with more, the client is not read from.
    package var backlogBytes = 64 << 10

    /// Open connections, and of them those from one source.
    package var clients = 10_000
    package var clientsPerSource = 2_000

    package var logins = LoginThrottle.Settings()
    /// How long, after a refused login was logged, those that follow from the same source are only counted.
    package var refusalPause = Duration.seconds(60)

    package init() {}
}
