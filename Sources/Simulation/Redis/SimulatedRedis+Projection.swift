internal import Journal
internal import Projection
internal import RESP

/// The functions of `ProjectionFunctions.library` by which the projection changes state.
enum ProjectionFunction: String {
    case provision = "rsp2_provision"
    case older = "rsp2_older"
    case apply = "rsp2_apply"
    case quarantine = "rsp2_quarantine"
    case advance = "rsp2_advance"
    case mark = "rsp2_mark"
}

extension SimulatedRedis {
    mutating func run(_ function: ProjectionFunction, _ call: FunctionCall) throws(StoreFailure) -> StoreReply {
        switch function {
        case .provision:
            try expect(call.key(0), cursor: call[1], mark: call[2])
            var at = 5
            while at < call.argumentCount { change(call, tenant: call[0], at: &at) }
            close(call)
        case .older: return older(call)
        case .apply: try apply(call)
        case .quarantine:
            try expect(call.key(0), cursor: call[0], mark: call[1])
            return call[2] == "SADD" ? add([call[3]], to: call.key(1)) : take([call[3]], from: call.key(1))
        case .advance:
            let cursor = hash(call.key(0))["provisioning"] ?? "0"
            guard cursor == call[0] else { throw .server(code: "CURSOR", message: cursor) }
            put(call.key(0), [("provisioning", call[1])])
        case .mark: try mark(call)
        }
        return .text("OK")
    }

    // MARK: Cursors

    /// Writes or removes a word beside the cursor that trails all, unless another than the old one stands there.
    private mutating func mark(_ call: FunctionCall) throws(StoreFailure) {
        let state = hash(call.key(0))
        let cursor = state["provisioning"] ?? "0"
        guard cursor == call[0] else { throw .server(code: "CURSOR", message: cursor) }
        if let held = state[call[1]], held != call[2] { return }
        if call[3] != "" { put(call.key(0), [(call[1], call[3])]) } else { remove(call.key(0), fields: [call[1]]) }
    }

    private func expect(_ key: String, cursor: String, mark: String) throws(StoreFailure) {
        let state = hash(key)
        let (held, heldMark) = (state["provisioning"] ?? "0", state["applying"] ?? "")
        guard held == cursor, heldMark == mark else {
            throw .server(code: "CURSOR", message: "\(held) \(heldMark)")
        }
    }

    private mutating func close(_ call: FunctionCall) {
        if call[3] != call[1] { put(call.key(0), [("provisioning", call[3])]) }
        if call[4] != "" {
            put(call.key(0), [("applying", call[4])])
        } else if call[2] != "" {
            remove(call.key(0), fields: ["applying"])
        }
    }

    /// Commands, each led by the number of its words, when the cursor is as expected and nothing is beyond the cut.
    private mutating func apply(_ call: FunctionCall) throws(StoreFailure) {
        let state = hash(call.key(0))
        let cursor = state[call[0]] ?? "0"
        guard cursor == call[1] else { throw .server(code: "CURSOR", message: cursor) }
        if let cut = state["cut:\(call[0])"], let last = EntryID(cut.split(separator: " ")[0]), call.id(2) > last {
            throw .server(code: "CUT", message: cut)
        }
        var at = 3
        while at < call.argumentCount {
            let count = Int(call[at]) ?? 0
            let words = (at + 1..<at + 1 + count).map { call[$0] }
            guard let name = words.first, let command = Plain(rawValue: name) else {
                throw .server(code: "ERR", message: "Unknown Redis command called from script")
            }
            _ = try run(command, CommandWords(.init(words: words, runs: [])))
            at += count + 1
        }
        put(call.key(0), [(call[0], call[2])])
    }

    /// A whole walk in one step; the real server may take several.
    private func older(_ call: FunctionCall) -> StoreReply {
        let ids = "cfg:{\(call[0])}:\(call[1])"
        let found = set(ids).sorted().filter { id in
            guard call[2] != "", let version = hash("\(ids):\(id)")["_v"] else { return true }
            return Self.isBelow(version, call[2])
        }
        return .array((["0"] + found).map { .text($0) })
    }

    // MARK: Objects

    /// One group of objects: its count, type, indexes, then the objects. Moves `at` behind it.
    private mutating func change(_ call: FunctionCall, tenant: String, at: inout Int) {
        let (objects, type, indexes) = (Int(call[at]) ?? 0, call[at + 1], Int(call[at + 2]) ?? 0)
        at += 3
        let fields = (0..<indexes).map { (name: call[at + 2 * $0], isUnique: call[at + 2 * $0 + 1] == "u") }
        at += 2 * indexes
        var group = ObjectGroup(tenant: tenant, type: type, indexes: fields, isPart: call[2] != "" || call[4] != "")
        for _ in 0..<objects {
            if call[at + 2] == "" {
                remove(call[at + 1], sum: call[at], &group)
                at += 3
            } else {
                put(call, at, &group)
                at += 4 + indexes
            }
        }
        for (index, pairs) in group.pairs {
            for (value, id) in pairs {
                if let id {
                    put(group.index(index), [(value, id)])
                } else {
                    remove(group.index(index), fields: [value])
                }
            }
        }
    }

    private mutating func put(_ call: FunctionCall, _ at: Int, _ group: inout ObjectGroup) {
        let (id, digest) = (call[at + 1], call[at + 2])
        let key = group.object(id)
        let old = hash(key)
        remove(group.watch, fields: [id])
        for (place, index) in group.indexes.enumerated() {
            let (was, new) = (old[index.name], call[at + 4 + place])
            guard was != new else {
                if group.isPart, index.isUnique { link(place, new, id, &group) }
                continue
            }
            if let was { unlink(place, was, id, &group) }
            if new != "\0" { link(place, new, id, &group) }
        }
        values[key] = HashDumpReader.fields(in: call.bytes(at + 3)).map { .hash($0) }
        let before = Int64(old["_d"] ?? "")
        if before == nil { add([id], to: group.ids) }
        tally(call[at], (Int64(digest) ?? 0) - (before ?? 0), objects: before == nil ? 1 : 0, group)
    }

    private mutating func remove(_ id: String, sum: String, _ group: inout ObjectGroup) {
        let key = group.object(id)
        let old = hash(key)
        remove(group.watch, fields: [id])
        guard let digest = old["_d"].flatMap({ Int64($0) }) else { return }
        for (place, index) in group.indexes.enumerated() {
            if let was = old[index.name] { unlink(place, was, id, &group) }
        }
        take([id], from: group.ids)
        values[key] = nil
        tally(sum, -digest, objects: -1, group)
    }

    private mutating func unlink(_ place: Int, _ value: String, _ id: String, _ group: inout ObjectGroup) {
        guard group.indexes[place].isUnique else {
            return _ = take([id], from: "\(group.index(place)):\(value)")
        }
        let holder = group.pairs[place]?[value] ?? hash(group.index(place))[value]
        if holder == id { group.pairs[place, default: [:]][value] = .some(nil) }
    }

    private mutating func link(_ place: Int, _ value: String, _ id: String, _ group: inout ObjectGroup) {
        guard group.indexes[place].isUnique else {
            return _ = add([id], to: "\(group.index(place)):\(value)")
        }
        group.pairs[place, default: [:]][value] = id
    }

    private mutating func tally(_ sum: String, _ difference: Int64, objects: Int64, _ group: ObjectGroup) {
        if difference != 0 { increase(group.totals, sum, by: difference) }
        if objects != 0 { increase(group.totals, String(sum.dropLast()) + "n", by: objects) }
    }
}

/// What many objects of one type change in common keys.
private struct ObjectGroup {
    let tenant: String
    let type: String
    let indexes: [(name: String, isUnique: Bool)]
    /// What is changed is a part of a transaction, and may be applied again.
    let isPart: Bool
    /// By unique index: pairs that are to be written, or with nil removed.
    var pairs: [Int: [String: String?]] = [:]

    var ids: String { "cfg:{\(tenant)}:\(type)" }
    var totals: String { "rs:{\(tenant)}:digest:\(type)" }
    var watch: String { "rs:{\(tenant)}:watch:\(type)" }
    func object(_ id: String) -> String { "\(ids):\(id)" }
    func index(_ place: Int) -> String { "\(ids):by:\(indexes[place].name)" }
}
