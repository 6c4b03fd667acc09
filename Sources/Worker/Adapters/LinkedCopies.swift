package import Journal
package import Mirror
internal import VoiceListener

/// What the peer of a link holds, by that link's word.
package struct LinkedCopies: PeerCopies {
    private let link: MirrorLink

    package init(_ link: MirrorLink) { self.link = link }

    package var region: String { link.peer }

    package func holds(_ entries: [JournalName: EntryID]) async -> Bool { await link.holds(entries) }

    package func areWhole(upTo entries: [JournalName: EntryID]) async -> Bool { await link.areWhole(upTo: entries) }
}
