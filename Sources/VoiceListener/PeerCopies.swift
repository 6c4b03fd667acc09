package import Journal

/// The copies that one peer region keeps of the journals born here.
package protocol PeerCopies: Sendable {
    /// Returns true as soon as the peer holds these journals up to these entries; false when the task is cancelled before
    /// that, also where it was from the start. A journal that nobody has begun to copy is not held.
    func holds(_ entries: [JournalName: EntryID]) async -> Bool
}
