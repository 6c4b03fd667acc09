internal import Journal
internal import Projection

/// The functions of `JournalFunctions.library` that read, append and remove.
enum JournalFunction: String {
    case open = "rsj3_open"
    case lineage = "rsj3_lineage"
    case passed = "rsj3_passed"
    case append = "rsj3_append"
    case position = "rsj3_position"
    case trim = "rsj3_trim"
    case behead = "rsj3_behead"
    case note = "rsj3_note"
}

extension SimulatedRedis {
    mutating func run(_ function: JournalFunction, _ call: FunctionCall) throws(StoreFailure) -> StoreReply {
        switch function {
        case .open: open(call)
        case .lineage: lineage(call)
        case .passed: passed(stream(call.key(0)), call.id(0), limit: Int(call[1]) ?? 0).map { .count($0) } ?? .null
        case .append: try append(call)
        case .position: try position(call)
        case .trim: try trim(call)
        case .behead: try behead(call)
        case .note: note(call)
        }
    }

    // MARK: Questions

    private mutating func open(_ call: FunctionCall) -> StoreReply {
        let (key, meta) = (call.key(0), call.key(1))
        let stream = stream(key)
        if stream == nil, values[meta] == nil {
            put(meta, [("birth", call[0]), ("last", "0-0"), ("count", "0"), ("floor", "0-0")])
        }
        let held = hash(meta)
        return .array([
            .text(held["birth"]), .text(held["last"] ?? (stream == nil ? "0-0" : nil)), .text(held["count"]),
            .text(held["floor"]), .text(held["closed"]), .text(held["position"]),
            .text(stream?.generated.description ?? "0-0"), .integer(Int64(stream?.entries.count ?? 0)),
            .text(held["forked"]), .text(held["told"]), .text(stream?.entries.last?.content),
            .text(held["shown"]),
        ])
    }

    private mutating func lineage(_ call: FunctionCall) -> StoreReply {
        let (key, meta) = (call.key(0), call.key(1))
        let stream = stream(key)
        if hash(meta)["birth"] == nil {
            put(meta, [("birth", call[0]), ("floor", "0-0")])
            if stream == nil { put(meta, [("last", "0-0"), ("count", "0")]) }
        }
        let held = hash(meta)
        let found = stream?.newest(through: call.id(1))
        return .array([
            .text(held["birth"]), .text(held["floor"] ?? "0-0"), .text(held["closed"]),
            .text(stream?.generated.description ?? "0-0"), .text(found?.id.description),
            passed(stream, call.id(1), limit: Int(call[3]) ?? 0).map { .count($0) } ?? .null,
            .text(held["missed:\(call[2])"]), .count(stream?.added ?? 0),
            .integer(held["former:\(call[4])"] == nil ? 0 : 1), .text(found?.content),
        ])
    }

    private func passed(_ stream: SimulatedStream?, _ cursor: EntryID, limit: Int) -> UInt64? {
        guard let stream else { return 0 }
        if stream.generated == cursor { return stream.added }
        let index = stream.index(behind: cursor)
        let behind = stream.entries.count - index
        if index == 0 { return stream.added - UInt64(stream.entries.count) }
        return behind <= limit ? stream.added - UInt64(behind) : nil
    }

    // MARK: Guarded writes

    /// The journal's guard: its mark, last entry and stream are what was expected.
    private func checked(_ call: FunctionCall) throws(StoreFailure) -> [String: String] {
        let meta = hash(call.key(1))
        guard meta["birth"] == call[0] else { throw .server(code: "FENCED", message: "birth") }
        guard meta["closed"] == nil else { throw .server(code: "FENCED", message: "closed") }
        let last = meta["last"] ?? "0-0"
        guard last == call[1] else { throw .server(code: "CURSOR", message: last) }
        let own = stream(call.key(0))?.generated.description ?? "0-0"
        guard own == last else { throw .server(code: "FORKED", message: own) }
        return meta
    }

    private mutating func append(_ call: FunctionCall) throws(StoreFailure) -> StoreReply {
        let last = try checked(call)["last"] ?? "0-0"
        let added = add(call, shape: call[3], at: 4, to: call.key(0))
        increase(call.key(1), "count", by: Int64(added.count))
        put(call.key(1), [("last", added.last ?? last)])
        if added.failure == nil, call[2] != "" { put(call.key(1), [("position", call[2])]) }
        if let failure = added.failure { throw failure }
        return .text(added.last ?? last)
    }

    /// Adds entries as a shape counts them, until one is refused.
    mutating func add(
        _ call: FunctionCall, shape: String, at first: Int, to key: String
    ) -> (last: String?, count: Int, failure: StoreFailure?) {
        var stream = SimulatedStream()
        if case .stream(let held) = values.removeValue(forKey: key) { stream = held }  // one owner
        let isNew = stream == SimulatedStream()
        defer { if !isNew || stream.added > 0 { values[key] = .stream(stream) } }
        var at = first
        var count = 0
        var last: String?
        for run in shape.split(separator: ",") {
            let parts = run.split(separator: "x").compactMap { Int($0) }
            guard parts.count == 2 else { continue }
            for _ in 0..<parts[0] {
                let fields = (at + 1..<at + 1 + 2 * parts[1]).map { call[$0] }
                guard stream.add(call.id(at), fields) else { return (last, count, Self.idTooSmall) }
                last = stream.generated.description
                count += 1
                at += 1 + 2 * parts[1]
            }
        }
        return (last, count, nil)
    }

    private mutating func position(_ call: FunctionCall) throws(StoreFailure) -> StoreReply {
        // Unlike an append, it takes no journal whose meta lacks `last`.
        let held = hash(call.key(1))
        if held["birth"] == call[0], held["closed"] == nil, held["last"] == nil {
            throw .server(code: "CURSOR", message: "0-0")
        }
        let meta = try checked(call)
        if Self.isBelow(meta["position"] ?? "", call[2]) { put(call.key(1), [("position", call[2])]) }
        return .text(meta["last"])
    }

    /// Compares numbers as text: the longer one is the greater.
    static func isBelow(_ old: String, _ new: String) -> Bool {
        (old.utf8.count, old) < (new.utf8.count, new)
    }

    private mutating func trim(_ call: FunctionCall) throws(StoreFailure) -> StoreReply {
        guard hash(call.key(1))["birth"] ?? "" == call[1] else { throw .server(code: "FENCED", message: "birth") }
        guard var stream = stream(call.key(0)) else { return .integer(0) }
        let minimum = call.id(0)
        let removed = stream.entries.prefix { $0.id < minimum }
        guard let last = removed.last else { return .integer(0) }
        stream.entries.removeFirst(removed.count)
        values[call.key(0)] = .stream(stream)
        put(call.key(1), [("floor", last.id.description)])
        return .integer(Int64(removed.count))
    }

    private mutating func behead(_ call: FunctionCall) throws(StoreFailure) -> StoreReply {
        let meta = hash(call.key(1))
        guard meta["birth"] ?? "" == call[1] else { throw .server(code: "FENCED", message: "birth") }
        guard meta["floor"] ?? "" == call[2] else { throw .server(code: "CURSOR", message: meta["floor"] ?? "0-0") }
        guard var stream = stream(call.key(0)) else { return .null }
        let removed = stream.entries.prefix(Int(call[0]) ?? 0)
        guard let last = removed.last else { return .null }
        stream.entries.removeFirst(removed.count)
        values[call.key(0)] = .stream(stream)
        put(call.key(1), [("floor", last.id.description)])
        return .text(last.id.description)
    }

    private mutating func note(_ call: FunctionCall) -> StoreReply {
        let meta = hash(call.key(0))
        let field = "missed:\(call[1])"
        guard meta["birth"] == call[0], meta[field] ?? "0" == call[2] else { return .integer(0) }
        put(call.key(0), [(field, call[3])])
        return .integer(1)
    }
}
