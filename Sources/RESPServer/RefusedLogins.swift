/// Which refused logins operators are told of: of each source the first at once; then, after each pause in which there were
/// more, how many.
///
/// Holds a bounded number of sources. Those that find no room are told of together, lest many addresses fill the log.
struct RefusedLogins: Sendable {
    enum Reason: String, Hashable, Sendable {
        case wrongSecret = "wrong secret"
        case noSuchAccount = "no such account"
        /// It was not even looked at.
        case throttled = "too many failed logins"
    }

    /// A login that was refused, without its secret.
    struct Refusal: Hashable, Sendable {
        /// Bytes of a name that are kept: as many as an account's may have.
        private static let nameBytes = 64

        /// The name that was given; the beginning of a long one.
        let account: String
        /// Where the client was, as `host:port`.
        let address: String
        let reason: Reason

        init(of account: String, at address: String, _ reason: Reason) {
            let beginning = account.utf8.prefix(Self.nameBytes)
            let isWhole = beginning.count == account.utf8.count
            self.account = isWhole ? account : String(decoding: beginning, as: UTF8.self) + "…"
            self.address = address
            self.reason = reason
        }
    }

    /// Whose refused logins are counted together.
    enum Origin: Hashable, Sendable {
        case source(ClientSource)
        /// All sources that found no room.
        case others
    }

    /// Logins that were refused since others of their origin were told of.
    struct Summary: Hashable, Sendable {
        var count: Int
        var latest: Refusal
    }

    /// Sources that are remembered at a time.
    private let limit: Int
    /// Of origins that were told of less than a pause ago.
    private var pauses: [Origin: Summary] = [:]

    init(sources limit: Int = 1024) {
        self.limit = limit
    }

    /// A login was refused.
    ///
    /// - Returns: Its origin where it is to be told at once; a pause later `paused` is to be asked. Nil where that will tell.
    mutating func refused(_ refusal: Refusal, from source: ClientSource) -> Origin? {
        let isKnown = pauses[.source(source)] != nil
        let origin = isKnown || pauses.count < limit ? Origin.source(source) : .others
        let known = pauses[origin]
        pauses[origin] = Summary(count: known.map { $0.count + 1 } ?? 0, latest: refusal)
        return known == nil ? origin : nil
    }

    /// A pause has passed since the origin was told of.
    ///
    /// - Returns: What to tell now, after which another pause begins; nil where there is nothing, and the origin is forgotten.
    mutating func paused(_ origin: Origin) -> Summary? {
        guard let summary = pauses[origin], summary.count > 0 else {
            pauses[origin] = nil
            return nil
        }
        pauses[origin] = Summary(count: 0, latest: summary.latest)
        return summary
    }
}
