internal import Journal
internal import NIOCore
internal import VoiceEvents

extension VoiceEvent {
    /// Reads an entry of a voice journal; nil for one that is no event.
    init?(_ entry: JournalEntry) {
        guard let event = entry.value(of: "event"), let key = entry.value(of: "key"),
            let data = entry.value(of: "data")
        else { return nil }
        do {
            try self.init(event: Array(event).span, key: Array(key).span, data: Array(data).span)
        } catch {
            return nil
        }
    }
}
