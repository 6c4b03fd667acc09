/// What the lease of a region says: its holder, the holder's connection to the server, and how often it was renewed.
///
/// As text it is `<worker> <connection> <beat>`, for people to read. No two are ever the same but by intent: workers draw
/// their names, connections are numbered by the server, and beats only rise.
package struct LeaseValue: Hashable, Sendable {
    /// As the server keeps it.
    package let text: String

    /// Nobody ever held the lease here, or the server has lost it.
    package static let absent = LeaseValue(text: "")
    /// Its last holder gave it back.
    package static let released = LeaseValue(text: "released")

    package init(text: String) { self.text = text }

    package init(holder: String, connection: Int64, beat: UInt64) {
        self.init(text: "\(holder) \(connection) \(beat)")
    }

    /// The worker that holds the lease; nil for nobody, and for what no worker wrote.
    package var holder: String? { words.map { String($0[0]) } }

    /// The server's number for the holder's connection.
    package var connection: Int64? { words.flatMap { Int64($0[1]) } }

    private var words: [Substring]? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        return words.count == 3 ? words : nil
    }
}
