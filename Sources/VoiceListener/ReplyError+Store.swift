internal import Projection
internal import RESP

extension ReplyError {
    /// Why a write was not done, or may not have been: what the region's Redis has against it.
    init(ofWrite failure: StoreFailure) {
        switch failure {
        case .server(let code, let message) where code == "READONLY" || code == "CONFLICT":
            self.init(code: code, message: message)
        case .server:
            self.init(code: "UNAVAILABLE", message: "the region's Redis refuses: \(failure)")
        case .unreachable(let reason):
            self.init(
                code: "UNAVAILABLE",
                message: "the region's Redis does not answer, so this may or may not have been done: \(reason)")
        }
    }

    /// Why something could not be read.
    init(ofRead failure: StoreFailure) {
        self.init(code: "UNAVAILABLE", message: "the region's Redis does not answer this: \(failure)")
    }
}
