internal import Foundation
internal import NIOCore

/// The entry of a region's control journal that asks another one to restate its live calls and agents.
///
/// Fields on the wire: `event` `restate`, `key` the region that is asked, `data` JSON: `tenants`, and for each the
/// entry through which something is missing.
package struct RestateRequest: Hashable, Sendable {
    package static let event = "restate"

    /// The entry itself.
    package let entry: EntryID
    /// The region that is asked.
    package let owner: String
    /// By tenant: what is restated must be as of here, or later.
    package let tenants: [String: EntryID]

    package init(owner: String, tenants: [String: EntryID], entry: EntryID = .zero) {
        self.owner = owner
        self.tenants = tenants
        self.entry = entry
    }

    private struct Content: Codable {
        let tenants: [String: String]
    }

    /// Nil for an entry that is none, or cannot be read.
    package init?(_ entry: JournalEntry) {
        guard let event = entry.value(of: "event"), event.elementsEqual(Self.event.utf8),
            let owner = entry.value(of: "key"), let data = entry.value(of: "data")
        else { return nil }
        self.init(entry.id, String(decoding: owner, as: UTF8.self), Data(data))
    }

    /// Reads what `note` gives; `owner` is the region that was asked. Nil for anything else.
    package init?(note: String, owner: String) {
        let words = note.split(separator: " ", maxSplits: 1)
        guard words.count == 2, let entry = EntryID(words[0]) else { return nil }
        self.init(entry, owner, Data(words[1].utf8))
    }

    private init?(_ entry: EntryID, _ owner: String, _ data: Data) {
        guard let content = try? JSONDecoder().decode(Content.self, from: data) else { return nil }
        var tenants: [String: EntryID] = [:]
        for (tenant, text) in content.tenants {
            guard let id = EntryID(text) else { return nil }
            tenants[tenant] = id
        }
        self.init(owner: owner, tenants: tenants, entry: entry)
    }

    /// The value of the field `data`; the same request always gives the same.
    package var data: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let content = Content(tenants: tenants.mapValues(\.description))
        return (try? encoder.encode(content)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    /// The request as the region that is asked keeps it until it has answered: `<entry> <data>`.
    package var note: String { "\(entry) \(data)" }
}
