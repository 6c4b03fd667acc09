internal import Connections
internal import Journal
internal import NIOCore
internal import NIOPosix
package import Projection
package import RESP
package import RedisClient
package import RegionConfig
internal import Worker

/// A region's Redis, as verification reads it: one connection, many commands at once. Only repairs write.
package struct RegionServer: Sendable {
    /// The region's name.
    package let name: String
    /// Dbids of tenants that the region file adds to those that provisioning names.
    package let staticTenants: [String]
    private let connection: RedisConnection

    /// Long answers take their time; a server that says nothing for so long is gone.
    private static let patience = Duration.seconds(30)

    /// Connects to the region's own Redis.
    package static func connect(_ region: Region) async throws(VerificationError) -> RegionServer {
        do throws(RedisError) {
            let connection = try await RedisConnection.connect(
                to: RedisEndpoint(region.redis), name: "regionsync-verify",
                on: MultiThreadedEventLoopGroup.singleton.any())
            return RegionServer(
                name: region.name, staticTenants: region.tenants.map { "\($0)" }, connection: connection)
        } catch {
            throw .redis(region: region.name, error)
        }
    }

    /// Closes the connection.
    package func close() { connection.closeSoon() }

    /// Sends all commands at once and gives their answers in order; the first error ends it.
    package func ask(_ commands: [RedisCommand]) async throws(VerificationError) -> [RedisReply] {
        guard !commands.isEmpty else { return [] }
        var replies: [RedisReply] = []
        replies.reserveCapacity(commands.count)
        for result in await connection.pipeline(commands, deadline: Self.patience) {
            do throws(RedisError) {
                replies.append(try result.get())
            } catch {
                throw .redis(region: name, error)
            }
        }
        return replies
    }

    /// One command.
    package func ask(_ words: String...) async throws(VerificationError) -> RedisReply {
        try await ask([RedisCommand(words: words, runs: [])])[0]
    }

    /// Hands out everything that `SCAN` or one of its kin finds, page by page; an element may come more than once.
    ///
    /// `words` are those before and behind the cursor.
    func scan(
        _ words: [String], then options: [String] = [], _ page: ([RedisReply]) async throws -> Void
    ) async throws {
        var cursor = "0"
        repeat {
            let reply = try await ask([RedisCommand(words: words + [cursor] + options, runs: [])])[0]
            guard let next = reply[0]?.string, let elements = reply[1] else {
                throw VerificationError.unexpected(region: name, words[0])
            }
            cursor = next
            if elements.count > 0 { try await page(Array(elements.elements)) }
        } while cursor != "0"
    }
}

extension RegionServer: ProjectionStore {
    package func send(_ commands: [RedisCommand]) async -> SentCommands {
        let results = await connection.pipeline(commands, deadline: Self.patience)
        let replies: [Result<StoreReply, StoreFailure>] = results.map { result in
            result.map { StoreReply($0) }.mapError { StoreFailure($0) }
        }
        return SentCommands { replies }
    }
}

extension RedisReply {
    /// The ID in a string reply; nil for anything else.
    var entryID: EntryID? { bytes.flatMap { EntryID(ascii: $0.readableBytesView) } }

    /// The number in a string or integer reply; nil for anything else.
    var number: Int? { integer.map { Int($0) } ?? string.flatMap { Int($0) } }
}
