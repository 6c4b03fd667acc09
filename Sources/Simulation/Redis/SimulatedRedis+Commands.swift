internal import Journal
internal import NIOCore
internal import Projection

/// Commands of Redis itself, as far as the worker and the simulation use them.
enum Plain: String {
    case get = "GET"
    case hget = "HGET"
    case hmget = "HMGET"
    case hgetall = "HGETALL"
    case smembers = "SMEMBERS"
    case xrevrange = "XREVRANGE"
    case set = "SET"
    case hset = "HSET"
    case hsetnx = "HSETNX"
    case hdel = "HDEL"
    case sadd = "SADD"
    case srem = "SREM"
    case del = "DEL"
    case expire = "EXPIRE"
    case xadd = "XADD"

    var isWrite: Bool {
        switch self {
        case .get, .hget, .hmget, .hgetall, .smembers, .xrevrange: false
        default: true
        }
    }

    var needsMemory: Bool {
        switch self {
        case .set, .hset, .hsetnx, .sadd, .xadd: true
        default: false
        }
    }
}

extension SimulatedRedis {
    /// `words` begin with the command's name.
    mutating func run(_ command: Plain, _ words: CommandWords) throws(StoreFailure) -> StoreReply {
        let key = words[1]
        switch command {
        case .get: if case .string(let text) = values[key] { return .text(text) } else { return .null }
        case .hget: return .text(hash(key)[words[2]])
        case .hmget:
            let hash = hash(key)
            return .array((2..<words.count).map { .text(hash[words[$0]]) })
        case .hgetall: return .array(hash(key).flatMap { [.text($0.key), .text($0.value)] })
        case .smembers: return .array(set(key).sorted().map { .text($0) })
        case .xrevrange: return reverseRange(words)
        case .set: values[key] = .string(words[2])
        case .hset: return put(key, stride(from: 2, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) })
        case .hsetnx: if hash(key)[words[2]] == nil { return put(key, [(words[2], words[3])]) }
        case .hdel: return remove(key, fields: (2..<words.count).map { words[$0] })
        case .sadd: return add((2..<words.count).map { words[$0] }, to: key)
        case .srem: return take((2..<words.count).map { words[$0] }, from: key)
        case .del: return .integer(values.removeValue(forKey: key) == nil ? 0 : 1)
        case .expire: return .integer(values[key] == nil ? 0 : 1)  // nothing here lives that long
        case .xadd:
            let generated = stream(key)?.generated ?? .zero
            let id = words[2] == "*" ? SimulatedStream.next(behind: generated, at: clock) : EntryID(words[2]) ?? .zero
            guard id > generated else { throw Self.idTooSmall }
            var stream = SimulatedStream()
            if case .stream(let held) = values.removeValue(forKey: key) { stream = held }  // one owner
            _ = stream.add(id, (3..<words.count).map { words[$0] })
            values[key] = .stream(stream)
            return .text(id.description)
        }
        return .text("OK")
    }

    static let idTooSmall = StoreFailure.server(
        code: "ERR", message: "The ID specified in XADD is equal or smaller than the target stream top item")

    /// `XREVRANGE key high low COUNT n`, where `high` and `low` are IDs or `+` and `-`.
    private func reverseRange(_ words: CommandWords) -> StoreReply {
        let high = EntryID(words[2]) ?? EntryID(first: .max, second: .max)
        let low = EntryID(words[3]) ?? .zero
        let count = Int(words[5]) ?? 1
        let entries = (stream(words[1])?.entries ?? []).filter { $0.id <= high && $0.id >= low }
        return .array(
            entries.suffix(count).reversed().map { entry in
                .array([.text(entry.id.description), .array(entry.fields.map { .text($0) })])
            })
    }

    // MARK: Values

    func hash(_ key: String) -> [String: String] { if case .hash(let hash) = values[key] { hash } else { [:] } }

    func set(_ key: String) -> Set<String> { if case .set(let set) = values[key] { set } else { [] } }

    /// nil where there is none.
    package func stream(_ key: String) -> SimulatedStream? {
        if case .stream(let stream) = values[key] { stream } else { nil }
    }

    @discardableResult
    mutating func put(_ key: String, _ pairs: [(String, String)]) -> StoreReply {
        var hash = hash(key)
        values[key] = nil  // one owner
        let before = hash.count
        for (field, value) in pairs { hash[field] = value }
        values[key] = .hash(hash)
        return .integer(Int64(hash.count - before))
    }

    @discardableResult
    mutating func remove(_ key: String, fields: [String]) -> StoreReply {
        guard case .hash(var hash) = values[key] else { return .integer(0) }
        let before = hash.count
        for field in fields { hash[field] = nil }
        values[key] = hash.isEmpty ? nil : .hash(hash)
        return .integer(Int64(before - hash.count))
    }

    @discardableResult
    mutating func add(_ members: [String], to key: String) -> StoreReply {
        let before = set(key)
        let after = before.union(members)
        if !after.isEmpty { values[key] = .set(after) }
        return .integer(Int64(after.count - before.count))
    }

    @discardableResult
    mutating func take(_ members: [String], from key: String) -> StoreReply {
        let before = set(key)
        let after = before.subtracting(members)
        if !before.isEmpty { values[key] = after.isEmpty ? nil : .set(after) }
        return .integer(Int64(before.count - after.count))
    }

    /// XTRIM by somebody who does not know of journals.
    mutating func trim(_ key: String, by count: Int) {
        guard var stream = stream(key) else { return }
        stream.entries.removeFirst(min(count, stream.entries.count))
        values[key] = .stream(stream)
    }

    /// Adds to a number in a hash.
    mutating func increase(_ key: String, _ field: String, by difference: Int64) {
        put(key, [(field, "\((Int64(hash(key)[field] ?? "") ?? 0) + difference)")])
    }
}
