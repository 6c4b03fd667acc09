internal import Journal
internal import Projection

/// The functions of `JournalFunctions.library` that mend a journal or its copy.
enum LineageFunction: String {
    case heal = "rsj3_heal"
    case reborn = "rsj3_reborn"
    case adopt = "rsj3_adopt"
    case fork = "rsj3_fork"
}

extension SimulatedRedis {
    mutating func run(_ function: LineageFunction, _ call: FunctionCall) throws(StoreFailure) -> StoreReply {
        switch function {
        case .heal: try heal(call)
        case .reborn: try reborn(call)
        case .adopt: try adopt(call)
        case .fork: try fork(call)
        }
    }

    /// The meta of an open journal with this mark.
    private func opened(_ call: FunctionCall, birth: String) throws(StoreFailure) -> [String: String] {
        let meta = hash(call.key(1))
        guard meta["birth"] == birth else { throw .server(code: "FENCED", message: "birth") }
        guard meta["closed"] == nil else { throw .server(code: "FENCED", message: "closed") }
        return meta
    }

    private mutating func heal(_ call: FunctionCall) throws(StoreFailure) -> StoreReply {
        let (key, meta) = (call.key(0), call.key(1))
        let held = try opened(call, birth: call[0])
        let before = stream(key)
        var last = before?.generated.description ?? "0-0"
        guard last == call[1] else { throw .server(code: "CURSOR", message: last) }
        let isInStep = held["last"] ?? "0-0" == last
        let added = add(call, shape: call[7], at: 8, to: key)
        last = added.last ?? last
        var stream = stream(key)
        if added.failure == nil, let raise = EntryID(call[3]), EntryID(last) ?? .zero < raise {
            stream = stream ?? SimulatedStream()
            stream?.generated = raise
            last = call[3]
        }
        stream?.added += call.number(2)
        if let stream { values[key] = .stream(stream) }
        if call[4] != "" { put(meta, [("floor", call[4])]) }
        if call[5] != "", stream != nil { put(meta, [("former:\(call[5])", last)]) }
        if isInStep {
            put(meta, [("last", last)])
            increase(meta, "count", by: Int64(added.count))
        }
        if let failure = added.failure { throw failure }
        if Self.isBelow(held["position"] ?? "", call[6]) { put(meta, [("position", call[6])]) }
        return .text(last)
    }

    private mutating func reborn(_ call: FunctionCall) throws(StoreFailure) -> StoreReply {
        let (key, meta, projection) = (call.key(0), call.key(1), call.key(2))
        let held = try opened(call, birth: call[0])
        if held["missed:\(call[3])"] == nil { put(meta, [("missed:\(call[3])", "0")]) }
        var stream = stream(key) ?? SimulatedStream()
        if let minimum = EntryID(call[2]), stream.generated < minimum {
            let cursor = hash(projection)[call[4]].flatMap { EntryID($0) }
            if let cursor, stream.generated < cursor { rewind(projection, call[4], cursor, call.id(5)) }
            stream.generated = minimum
            values[key] = .stream(stream)
        }
        put(meta, [("birth", call[1]), ("former:\(call[0])", call[5])])
        part(meta, held[PartedEntries.field], call[6])
        return .text(call[1])
    }

    private mutating func part(_ meta: String, _ old: String?, _ new: String) {
        var kept: [PartedEntries] = []
        for pair in PartedEntries.all(in: "\(new) \(old ?? "")") where !kept.contains(pair) { kept.append(pair) }
        guard !kept.isEmpty else { return }
        let pairs = kept.prefix(PartedEntries.limit).map(\.description)
        put(meta, [(PartedEntries.field, pairs.joined(separator: " "))])
    }

    private mutating func rewind(_ projection: String, _ field: String, _ cursor: EntryID?, _ common: EntryID) {
        guard let cursor, common < cursor else { return }
        if common == .zero {
            remove(projection, fields: [field])
        } else {
            put(projection, [(field, common.description)])
        }
    }

    private mutating func adopt(_ call: FunctionCall) throws(StoreFailure) -> StoreReply {
        let last = try opened(call, birth: call[1])["last"] ?? "0-0"
        guard last == call[2] else { throw .server(code: "CURSOR", message: last) }
        if call[3] != "" {
            if call[4] != "" { remove(call.key(2), fields: [call[4]]) }
            put(call.key(1), [("count", call[3])])
        }
        put(call.key(1), [("birth", call[0])])
        return .text(call[0])
    }

    private mutating func fork(_ call: FunctionCall) throws(StoreFailure) -> StoreReply {
        let (key, meta, projection) = (call.key(0), call.key(1), call.key(2))
        let held = try opened(call, birth: call[1])
        let last = held["last"] ?? "0-0"
        guard last == call[2] else { throw .server(code: "CURSOR", message: last) }
        let old = stream(key)
        let own = old?.generated.description ?? "0-0"
        guard own == last else { throw .server(code: "FORKED", message: own) }
        guard held["floor"] ?? "0-0" == call[9] else { throw .server(code: "CURSOR", message: last) }
        let cursor = hash(projection)[call[5]].flatMap { EntryID($0) }
        var number = 1
        while values["\(key):closed:\(number)"] != nil || values["\(key):closed:\(number):meta"] != nil { number += 1 }
        let closed = "\(key):closed:\(number)"
        if let old { values[closed] = .stream(old) }
        values[key] = nil
        values["\(closed):meta"] = .hash(held.merging(["closed": call[7]]) { $1 })
        values[meta] = nil
        var lost = UInt64(old?.entries.count ?? 0)
        var (count, begins, floor) = (call[4], EntryID.zero, "0-0")
        let keep = call.id(3)
        if keep > .zero, var new = old {
            let index = new.index(behind: keep)
            lost = UInt64(new.entries.count - index)
            new.entries.removeSubrange(index...)
            new.generated = keep
            new.added -= lost
            values[key] = .stream(new)
            (begins, floor) = (keep, held["floor"] ?? "0-0")
            if count == "" { count = "\((UInt64(held["count"] ?? "") ?? 0) - lost)" }
        }
        if call[8] != "" { lost = call.number(8) }
        put(
            meta,
            [
                ("birth", call[0]), ("last", begins.description), ("count", count), ("floor", floor),
                ("forked", "\(number) \(call[7]) \(lost)"),
            ])
        part(meta, held[PartedEntries.field], call[10])
        rewind(projection, call[5], cursor, call.id(6))
        return .integer(Int64(number))
    }
}
