/// Why a server refused a guarded write. Nothing was written.
package enum Refusal: Error, Hashable, Sendable {
    /// The journal ends elsewhere than the batch assumed: at `last`.
    case cursor(last: EntryID)
    /// The journal is closed, or was born again, since the cursor was read.
    case fenced
    /// The stream and its meta disagree: somebody else wrote to it.
    case forked
    /// The server cannot write now (READONLY, OOM, NOREPLICAS, LOADING, MISCONF), or the link to it is gone.
    case unavailable(String)
    /// The server answered what no contract allows; an operator must look.
    case unexpected(String)
}

extension Refusal: CustomStringConvertible {
    /// For people.
    package var description: String {
        switch self {
        case .cursor(let last): "the journal ends at \(last), and not where the batch begins"
        case .fenced: "the journal was closed or born again"
        case .forked: "somebody else wrote to the journal"
        case .unavailable(let reason): reason
        case .unexpected(let answer): "unexpected answer: \(answer)"
        }
    }
}

extension Refusal {
    /// What a server answers that is not, or no longer, the one to write to: the connection is to be given up, so that the
    /// next one resolves the name anew. A demoted primary would keep its connections for ever.
    package static let elsewhereCodes: Set<String> = ["READONLY", "MASTERDOWN", "MOVED"]

    /// Sorts a server's error reply, once for all guarded writes.
    ///
    /// - Parameters:
    ///   - code: The reply's first word, e.g. `CURSOR`, `READONLY`.
    ///   - message: What stands behind it.
    package init(code: String, message: String) {
        switch code {
        case "CURSOR": self = EntryID(message).map { .cursor(last: $0) } ?? .unexpected("CURSOR \(message)")
        case "FENCED": self = .fenced
        case "FORKED": self = .forked
        case _ where Self.elsewhereCodes.contains(code): self = .unavailable("\(code) \(message)")
        case "OOM", "NOREPLICAS", "LOADING", "MISCONF", "BUSY", "UNKILLABLE", "CLUSTERDOWN", "TRYAGAIN", "EXECABORT":
            self = .unavailable("\(code) \(message)")
        case "ERR" where message.hasPrefix("Function not found"): self = .unavailable("\(code) \(message)")
        default: self = .unexpected("\(code) \(message)")
        }
    }
}
