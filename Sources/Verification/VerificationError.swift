package import PostgresClient
package import RedisClient

/// Why a verification could not look; it says nothing about whether there are differences.
package enum VerificationError: Error, Hashable, Sendable {
    /// A region's Redis cannot be reached or refuses a command.
    case redis(region: String, RedisError)
    case postgres(PostgresError)
    /// A region's Redis answered a command with what is no answer to it.
    case unexpected(region: String, String)
    /// The publication does not carry a table of the catalog, so nothing of it can be in a cache.
    case notPublished(table: String, publication: String)
    /// A row that PostgreSQL sent cannot be read.
    case unreadableRow(table: String)
    /// Without its peers' files a region's journals cannot be compared with their copies.
    case peersNotGiven(region: String, peers: [String])
    /// A region that is said to be down is neither given nor a peer of one that is.
    case unknownDown(region: String, known: [String])
    /// A cache cannot be put right.
    case repair(String)
    /// A ledger file cannot be read.
    case ledger(String)
}

extension VerificationError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .redis(let region, let error): "Redis of region \(region): \(error)"
        case .postgres(let error): "\(error)"
        case .unexpected(let region, let what): "Redis of region \(region) answered unexpectedly: \(what)"
        case .notPublished(let table, let publication):
            "publication \(publication) does not carry \(table): run `regionsync migrate`, or take it out of the catalog"
        case .unreadableRow(let table): "PostgreSQL sent a row of \(table) that cannot be read"
        case .peersNotGiven(let region, let peers):
            "journals cannot be compared: region \(region) has \(peers.count == 1 ? "peer" : "peers") "
                + "\(peers.joined(separator: ", ")); give the region file of each with --region"
        case .unknownDown(let region, let known):
            "--down \(region): the files given know \(known.joined(separator: ", "))"
        case .repair(let problem): "nothing was put right: \(problem)"
        case .ledger(let problem): "the ledger: \(problem)"
        }
    }
}
