internal import Projection
internal import RESP

// In words of our own: what Redis says, and where it is, is for operators.
extension ReplyError {
    /// Why a write was not done, or may not have been: what the region's Redis has against it.
    init(ofWrite failure: StoreFailure) {
        switch failure {
        // It is a replica. READONLY is for copies of what is born elsewhere: who gets that asks another region.
        case .server("READONLY", _):
            self.init(
                code: "UNAVAILABLE", message: "the region's Redis takes no writes now, so this was not done")
        case .server("CONFLICT", _):
            self.init(code: "CONFLICT", message: "something else was asked for under this key")
        case .server(let code, _):
            self.init(code: "UNAVAILABLE", message: "the region's Redis refuses: \(code)")
        case .unsent:
            self.init(
                code: "UNAVAILABLE", message: "the region's Redis does not answer, so this was not done")
        case .unreachable:
            self.init(
                code: "UNAVAILABLE",
                message: "the region's Redis does not answer, so this may or may not have been done")
        }
    }

    /// Why something could not be read.
    init(ofRead failure: StoreFailure) {
        switch failure {
        // The worker's own rights are no business of clients.
        case .server("NOPERM", _), .server("NOAUTH", _):
            self.init(code: "UNAVAILABLE", message: "the region's Redis does not let the worker do this")
        case .server(let code, _): self.init(code: "UNAVAILABLE", message: "the region's Redis refuses: \(code)")
        case .unreachable, .unsent: self = .unavailable
        }
    }
}
