internal import Journal
internal import NIOCore
internal import Projection
internal import RESP

/// What was read of a tenant's state at one instant.
struct TenantRead {
    /// One a command, in order. Null also where something else stands in the place of what was to be read.
    let answers: [StoreReply]
    /// Of the last transaction that changed anything of the tenant; nil: none has.
    let position: Position?
    /// False while a transaction that takes several calls is half there.
    let isWhole: Bool
}

extension CacheSession {
    /// Runs commands that read keys of one tenant, together with the mark that says whether they are to be believed.
    /// With `isTracked` Redis will say when any of those keys changes.
    ///
    /// Returns when memory has forgotten whatever had changed by then: who sees something new here must not see something
    /// older there, which would be half a transaction.
    func read(
        _ commands: [RedisCommand], of tenant: Int64, isTracked: Bool = false
    ) async throws(ReplyError) -> TenantRead {
        let mark = RedisCommand(
            "HMGET", ProjectionKeys.cursors(tenant: "\(tenant)"), "provisioning", "applying")
        let first = isTracked ? [RedisCommand("CLIENT", "CACHING", "YES")] : []
        let all = first + [RedisCommand("MULTI")] + commands + [mark, RedisCommand("EXEC")]
        let answers: [StoreReply]
        do throws(StoreFailure) {
            answers = try await self.answers(all)
            try await heard()
        } catch {
            throw ReadError.from(error)
        }
        let read = answers.last?.elements ?? []
        let cursor = read.last?.elements ?? []
        guard read.count == commands.count + 1, cursor.count == 2 else {
            throw ReadError.from(.server(code: "ERR", message: ""))
        }
        return TenantRead(
            answers: Array(read.dropLast()), position: cursor[0].text.flatMap { Position($0) },
            isWhole: cursor[1].text?.isEmpty ?? true)
    }

    /// The position up to which all tenants' state is what PostgreSQL committed; nil before anything is.
    func trailingPosition() async throws(ReplyError) -> Position? {
        do throws(StoreFailure) {
            return try await answers([RedisCommand("HGET", ProjectionKeys.trailing, "provisioning")])[0]
                .text.flatMap { Position($0) }
        } catch {
            throw ReadError.from(error)
        }
    }
}

extension StoreReply {
    /// Strings as they stand on the wire, in memory of their own, no larger than they are.
    var strings: BulkStrings {
        var size = 0
        for case .string(let bytes) in elements {
            size += bytes.readableBytes + "\(bytes.readableBytes)".utf8.count + 5
        }
        // What a string is written into must have room for the longest header.
        var strings = BulkStrings(capacity: size + 24)
        for case .string(let bytes) in elements { strings.append(bytes) }
        return strings
    }
}
