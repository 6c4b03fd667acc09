/// A region beside the survivor and the one that is down, before anything is changed.
package struct FoundOther: Hashable, Sendable {
    package let region: String
    /// Why it could not be asked; nil where it was.
    package var unreachable: String?
    /// Journals of the region that is down of which it has entries that the survivor lacks.
    package var ahead = 0
    /// Voice entries among these; at least so many.
    package var voice: UInt64 = 0
    /// Journals of which it lacks entries.
    package var behind = 0
    /// Journals that are left as they are, each with the reason.
    package var left: [String] = []

    package init(region: String, unreachable: String? = nil) {
        self.region = region
        self.unreachable = unreachable
    }
}

/// What became of the copies that the survivor and another region have of the journals of the one that is down.
package struct LevelledRegion: Codable, Hashable, Sendable {
    package let region: String
    /// Entries that the survivor lacked and was given.
    package var fetched: UInt64 = 0
    /// Entries that the other region lacked and was given.
    package var given: UInt64 = 0
    /// Journals that were left as they are, each with the reason.
    package var left: [String] = []
    /// Why not all was done.
    package var failure: String?

    package init(region: String) { self.region = region }
}

extension FoundOther {
    /// What levelling would do, for people.
    var plan: String {
        if let unreachable { return "\(region) could not be reached (\(unreachable)): nothing" }
        var parts: [String] = []
        if ahead > 0 { parts.append("fetches what \(region) alone has of \(ahead) journals (\(voice) voice entries)") }
        if behind > 0 { parts.append("gives \(region) what it lacks of \(behind) journals") }
        parts += left.map { "leaves \($0)" }
        return parts.isEmpty ? "\(region) has the same: nothing" : parts.joined(separator: ", ")
    }

    /// What an operator should know of a region that cannot be asked.
    func warning(of down: String) -> String? {
        unreachable.map {
            "\(region) could not be reached (\($0)): what it alone has of \(down) stays beyond the cut and is withheld there"
        }
    }
}

extension LevelledRegion {
    /// For people.
    var text: String {
        var text = "\(fetched) entries from \(region), \(given) to it"
        if !left.isEmpty { text += ", left alone: \(left.joined(separator: "; "))" }
        if let failure { text += ", not all: \(failure)" }
        return text
    }
}
