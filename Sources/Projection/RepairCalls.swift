package import Journal
package import NIOCore
package import RESP

/// The calls of the functions that put a cache right.
package enum RepairCalls {
    package typealias ObjectName = ProvisioningEntry.ObjectName

    /// Watches objects of one tenant and type; answers their digests.
    package static func watch(_ keys: [String], tenant: String, type: String, token: String) -> RedisCommand {
        RedisCommand(words: call("rsp2_watch", tenant) + [type, token] + keys, runs: [])
    }

    /// Ends the watches of objects of one tenant and type; answers a number an object, in order.
    package static func release(_ keys: [String], tenant: String, type: String, token: String) -> RedisCommand {
        RedisCommand(words: call("rsp2_release", tenant) + [type, token] + keys, runs: [])
    }

    /// Makes watched objects of one tenant and type as they are given: nil is gone. Answers a number an object, in
    /// order. Objects that no cache can hold as they are given are left out, and answered by their places.
    package static func mend(
        _ objects: [(key: String, row: [String: String]?)], tenant: String, type: String, token: String,
        version: Position, layouts: IndexLayouts
    ) -> (command: RedisCommand, places: [Int]) {
        var groups = ObjectGroups()
        var writer = ObjectRowWriter()
        var places: [Int] = []
        for (place, object) in objects.enumerated() {
            // Its hash would be an index.
            guard !object.key.hasPrefix("by:") else { continue }
            let name = ObjectName(tenant: tenant, type: type, key: object.key)
            if let row = object.row {
                let data = StoredRow(columns: row, version: nil).data
                guard
                    (try? groups.put(name, data: data, version: version, layouts: layouts, writer: &writer)) != nil
                else { continue }
            } else {
                groups.delete(name, layouts: layouts)
            }
            places.append(place)
        }
        return (RedisCommand(words: call("rsp2_mend", tenant) + [token], runs: groups.runs), places)
    }

    /// Counts a bucket anew, if its counters are still these.
    package static func recount(
        bucket: Int, keys: [String], tenant: String, type: String, count: String, sum: String
    ) -> RedisCommand {
        RedisCommand(words: call("rsp2_recount", tenant) + [type, "\(bucket)", count, sum] + keys, runs: [])
    }

    /// Removes an index entry that names an object without this value.
    package static func unindex(
        value: ByteBuffer, key: String, field: String, isUnique: Bool, tenant: String, type: String
    ) -> RedisCommand {
        var end = BulkStrings()
        end.append(value)
        end.append(key)
        return RedisCommand(
            words: call("rsp2_unindex", tenant) + [type, field, isUnique ? "u" : "s"], runs: [end])
    }

    /// Says that the cache is no longer stale, if nothing else made it so since.
    package static func fresh(_ staleness: Staleness) -> RedisCommand {
        ProjectionFunctions.forget([(Staleness.field, "\(staleness)")], of: ProjectionKeys.trailing)
    }

    /// Says that nothing of what was amiss with the journals is left, if nothing else was met since.
    package static func exact(_ inexactness: String) -> RedisCommand {
        ProjectionFunctions.forget([(Inexactness.field, inexactness)], of: ProjectionKeys.trailing)
    }

    private static func call(_ function: String, _ tenant: String) -> [String] {
        ["FCALL", function, "1", ProjectionKeys.cursors(tenant: tenant), tenant]
    }
}
