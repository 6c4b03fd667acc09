package import Journal
internal import Projection

// What is projected, looked at from outside.
extension SimulatedRedis {
    /// All objects of the cache, without version and digest.
    package var objects: [ProvisioningEntry.ObjectName: [String: String]] {
        var objects: [ProvisioningEntry.ObjectName: [String: String]] = [:]
        for (key, value) in values {
            guard let name = Self.object(key), case .hash(var row) = value else { continue }
            row["_v"] = nil
            row["_d"] = nil
            objects[name] = row
        }
        return objects
    }

    /// Reads `cfg:{tenant}:type:key`; nil for any other key, those of indexes included.
    private static func object(_ key: String) -> ProvisioningEntry.ObjectName? {
        guard key.hasPrefix("cfg:{"), let close = key.firstIndex(of: "}") else { return nil }
        let tenant = key[key.index(key.startIndex, offsetBy: 5)..<close]
        let parts = key[key.index(close, offsetBy: 2)...].split(separator: ":", maxSplits: 1)
        guard parts.count == 2, !parts[1].hasPrefix("by:") else { return nil }
        return ProvisioningEntry.ObjectName(tenant: String(tenant), type: String(parts[0]), key: String(parts[1]))
    }

    /// What of a tenant's sets, indexes and counters is not what the objects make it.
    package func problems(tenant: String, type: String, unique: String, shared: String) -> [String] {
        let base = ProjectionKeys.objects(tenant: tenant, type: type)
        var ids: Set<String> = []
        var pairs: [String: String] = [:]
        var sets: [String: Set<String>] = [:]
        var (count, sum) = (0, Int64(0))
        for (key, value) in values {
            guard let name = Self.object(key), name.tenant == tenant, case .hash(let row) = value else { continue }
            ids.insert(name.key)
            if let value = row[unique] { pairs[value] = name.key }
            if let value = row[shared] { sets["\(base):by:\(shared):\(value)", default: []].insert(name.key) }
            count += 1
            sum += Int64(row["_d"] ?? "") ?? 0
        }
        var problems: [String] = []
        if ids != set(base) { problems.append("IDs") }
        if pairs != hash("\(base):by:\(unique)") { problems.append("unique index") }
        let held = values.keys.filter { $0.hasPrefix("\(base):by:\(shared):") }
        if Set(held) != Set(sets.keys) || sets.contains(where: { set($0.key) != $0.value }) { problems.append("index") }
        let totals = hash(ProjectionKeys.digests(tenant: tenant, type: type))
        func total(_ letter: Character) -> Int64 {
            totals.filter { $0.key.last == letter }.reduce(0) { $0 + (Int64($1.value) ?? 0) }
        }
        if total("n") != count || total("d") != sum { problems.append("digests") }
        return problems
    }

    /// Calls and who is active, as these voice journals make them when each is folded from its beginning.
    package func replayed(_ journals: [JournalName], region: String) -> SimulatedRedis {
        var fresh = SimulatedRedis()
        var fold = VoiceFold(region: region, recordTime: .seconds(600))
        for journal in journals {
            fold.follow(journal, behind: .zero)
            guard let batch = stream(journal.key)?.entries.batch(behind: .zero) else { continue }
            try? fold.read(JournalRead(journal, batch))
        }
        for key in fold.missing { fold.loaded(key, []) }
        while true {
            let calls = fold.nextCalls()
            guard !calls.isEmpty else { return fresh }
            for call in calls { _ = try? fresh.run(call.command) }
        }
    }

    /// The calls' records and the sets that name them.
    package var calls: [String: Value] { values.filter { $0.key.hasPrefix("call:") || $0.key.hasPrefix("calls:") } }
}
