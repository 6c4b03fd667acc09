package import Journal

/// Why a link is down.
package struct LinkLoss: Error, Hashable, Sendable {
    package let refusal: Refusal
    /// Whether the peer was not heard of in time, rather than answering that it cannot, or will not, be written to.
    package let isSilence: Bool

    package init(_ refusal: Refusal, isSilence: Bool = false) {
        self.refusal = refusal
        self.isSilence = isSilence
    }
}
