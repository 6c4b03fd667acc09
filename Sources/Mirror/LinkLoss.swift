package import Journal

/// Why a link is down.
package struct LinkLoss: Error, Hashable, Sendable {
    package let refusal: Refusal
    /// Whether the peer was not heard of in time, rather than answering that it cannot, or will not, be written to.
    package let isSilence: Bool
    /// What mends it, where the peer's Redis may throw journals away and gets nothing until that is done; else nil.
    package let evictionAdvice: String?

    package init(_ refusal: Refusal, isSilence: Bool = false, evictionAdvice: String? = nil) {
        self.refusal = refusal
        self.isSilence = isSilence
        self.evictionAdvice = evictionAdvice
    }
}
