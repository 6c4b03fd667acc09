internal import NIOCore
package import RESP

/// What a region has for a peer, said by a probe in a control journal.
///
/// Fields on the wire: `event` `probe`, `key` the peer's region, `voice` and `provisioning` entries. From the newest
/// one that came through, and what it holds itself, a peer can tell how much it lacked then. A probe without the counts
/// says that its region lives, and that they are not known: what was said before stands. What else a probe says:
/// `CaptureWord`.
package struct Heartbeat: Hashable, Sendable {
    /// The region to which it is addressed.
    package let peer: String
    /// Entries ever added to the voice journals born here that the peer has or will get.
    package let voice: UInt64
    /// The same of the provisioning journal.
    package let provisioning: UInt64

    package init(peer: String, voice: UInt64, provisioning: UInt64) {
        self.peer = peer
        self.voice = voice
        self.provisioning = provisioning
    }

    /// Nil for an entry that is no probe of this form.
    package init?(_ entry: JournalEntry) {
        func text(_ field: StaticString) -> String? {
            entry.value(of: field).map { String(decoding: $0, as: UTF8.self) }
        }
        guard text("event") == "probe", let peer = text("key"), let voice = text("voice").flatMap({ UInt64($0) }),
            let provisioning = text("provisioning").flatMap({ UInt64($0) })
        else { return nil }
        self.init(peer: peer, voice: voice, provisioning: provisioning)
    }

    /// Appends a probe to a control journal under an ID of Redis' own. `captured`: where the region captures.
    package static func probe(
        to peer: String, with heartbeat: Heartbeat?, captured: Position? = nil, appendingTo journal: JournalName
    ) -> RedisCommand {
        var words = ["XADD", journal.key, "*", "event", "probe", "key", peer]
        if let heartbeat {
            words += ["voice", "\(heartbeat.voice)", "provisioning", "\(heartbeat.provisioning)"]
        }
        if let captured { words += ["captured", "\(captured)"] }
        return RedisCommand(words)
    }
}
