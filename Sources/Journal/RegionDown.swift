internal import Foundation
internal import NIOCore

/// The entry of a survivor's control journal that declares a region down: where its journals end for everybody.
///
/// Fields on the wire: `event` `region-declared-down`, `key` the region, `data` JSON: `history` from which the survivor
/// captures, `cuts` by journal key `<last entry> <entries>`.
package struct RegionDown: Hashable, Sendable {
    package static let event = "region-declared-down"

    /// The entry itself; `.zero` before it was appended.
    package let entry: EntryID
    package let region: String
    /// Number of the history in which the survivor captures.
    package let history: UInt64
    package let cuts: [JournalName: JournalCut]

    package init(region: String, history: UInt64, cuts: [JournalName: JournalCut], entry: EntryID = .zero) {
        self.region = region
        self.history = history
        self.cuts = cuts
        self.entry = entry
    }

    /// The event of an entry that says that a region, its `key`, has rejoined.
    package static let rejoinedEvent = "region-rejoined"

    private struct Content: Codable {
        let history: UInt64
        let cuts: [String: String]
    }

    /// Nil for an entry that is none, or cannot be read.
    package init?(_ entry: JournalEntry) {
        guard let event = entry.value(of: "event"), event.elementsEqual(Self.event.utf8),
            let region = entry.value(of: "key"), let data = entry.value(of: "data"),
            let content = try? JSONDecoder().decode(Content.self, from: Data(data))
        else { return nil }
        var cuts: [JournalName: JournalCut] = [:]
        for (key, text) in content.cuts {
            guard let journal = JournalName(key: key), let cut = JournalCut(text) else { return nil }
            cuts[journal] = cut
        }
        self.init(
            region: String(decoding: region, as: UTF8.self), history: content.history, cuts: cuts, entry: entry.id)
    }

    /// The value of the field `data`; the same declaration always gives the same.
    package var data: String {
        let content = Content(
            history: history,
            cuts: Dictionary(uniqueKeysWithValues: cuts.map { ($0.key.key, $0.value.description) }))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(content)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}
