/// A person's name, and what the user is called after it.
struct PersonName {
    let first: String
    let last: String
    /// ASCII letters only.
    let user: String

    init(_ random: inout SplitMix64) {
        first = random.pick(NameLists.firstNames) ?? ""
        last = random.pick(NameLists.lastNames) ?? ""
        user = "\(PersonName.plain(first)).\(PersonName.plain(last))"
    }

    private static func plain(_ name: String) -> String {
        String(decoding: name.utf8.filter { $0 < 0x80 && $0 != UInt8(ascii: "'") }, as: UTF8.self).lowercased()
    }
}
