internal import Journal

/// Where a list of objects goes on: `<position>-<life>-<scan>`.
struct ListCursor: Hashable, Sendable {
    /// As of when its first page was read.
    let position: Position
    /// Of the cache, in which `scan` is good: an emptied one lacks objects for a time that were there all the while.
    let life: String
    /// The server's own cursor.
    let scan: UInt64

    /// What stands for a list's beginning and its end.
    static let end = "0"

    init(position: Position, life: String, scan: UInt64) {
        self.position = position
        self.life = life
        self.scan = scan
    }

    /// Nil for what is none.
    init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let position = Position(parts[0]), let scan = UInt64(parts[2]), scan != 0 else {
            return nil
        }
        self.init(position: position, life: String(parts[1]), scan: scan)
    }
}

extension ListCursor: CustomStringConvertible {
    var description: String { "\(position)-\(life)-\(scan)" }
}
