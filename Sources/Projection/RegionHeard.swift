package import Journal

/// When another region was heard last, and what it said then.
package struct RegionHeard: Hashable, Sendable {
    /// By the local Redis' clock, ms since 1970: when its probe was read here.
    package let time: Int64
    /// The probe, by its ID in that region's control journal.
    package let entry: EntryID
    package let heartbeat: Heartbeat

    package init(time: Int64, entry: EntryID, heartbeat: Heartbeat) {
        self.time = time
        self.entry = entry
        self.heartbeat = heartbeat
    }

    /// Reads `<time> <entry> <peer> <voice> <provisioning>`.
    package init?(_ text: some StringProtocol) {
        let words = text.split(separator: " ")
        guard words.count == 5, let time = Int64(words[0]), let entry = EntryID(words[1]),
            let voice = UInt64(words[3]), let provisioning = UInt64(words[4])
        else { return nil }
        self.init(
            time: time, entry: entry,
            heartbeat: Heartbeat(peer: String(words[2]), voice: voice, provisioning: provisioning))
    }
}

extension RegionHeard: CustomStringConvertible {
    package var description: String {
        "\(time) \(entry) \(heartbeat.peer) \(heartbeat.voice) \(heartbeat.provisioning)"
    }
}
