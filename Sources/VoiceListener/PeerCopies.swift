package import Journal

/// The copies that one peer region keeps of the journals born here.
package protocol PeerCopies: Sendable {
    /// The peer.
    var region: String { get }
    /// Returns true as soon as the peer holds these journals up to these entries; false when the task is cancelled before
    /// that, also where it was from the start, and as soon as one of the entries is found to have left its journal before the
    /// peer had it. A journal that nobody has begun to copy is not held.
    func holds(_ entries: [JournalName: EntryID]) async -> Bool
    /// Whether it was made sure that these entries, which have left their journals, did not do so before the peer had them.
    /// Asked of a peer that holds what was written up to them.
    func areWhole(upTo entries: [JournalName: EntryID]) async -> Bool
}
