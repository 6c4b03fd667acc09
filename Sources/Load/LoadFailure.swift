/// Why a measurement says nothing.
enum LoadFailure: Error, CustomStringConvertible {
    case foreignEntry
    case missing(sent: Int, received: Int)
    /// Commits that were not seen in time, and where.
    case unseen(String)

    var description: String {
        switch self {
        case .foreignEntry: "a stream holds entries that were not written by regionsync-load"
        case .missing(let sent, let received): "\(sent) entries were written, only \(received) arrived in time"
        case .unseen(let place): "not every commit was seen \(place) in time"
        }
    }
}
