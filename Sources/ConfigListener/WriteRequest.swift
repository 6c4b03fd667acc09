package import RESP

/// A `CFG.PUT` or `CFG.DEL` as its words say it; nothing is known yet of the tenant, the type and its fields.
package struct WriteRequest: Hashable, Sendable {
    package enum Change: Hashable, Sendable {
        /// Nil as the ID is `NEW`: an object that is not there yet.
        case put(id: String?, fields: [Field])
        case delete(id: String)
    }

    /// A field and what it becomes; nil is NULL.
    package struct Field: Hashable, Sendable {
        package let name: String
        package let value: String?

        package init(_ name: String, _ value: String?) {
            self.name = name
            self.value = value
        }
    }

    package let tenant: String
    package let type: String
    package let change: Change
    /// The digest that the object must have.
    package let version: String?
    /// What a repetition is known by.
    package let once: String?

    /// What keys of `ONCE` may be long, in bytes.
    static let onceBytes = 128

    /// A request for `change`.
    package init(tenant: String, type: String, change: Change, version: String? = nil, once: String? = nil) {
        self.tenant = tenant
        self.type = type
        self.change = change
        self.version = version
        self.once = once
    }
}

extension WriteRequest {
    /// `CFG.PUT tenant type id|NEW [field value | NULL field ...] [IF version] [ONCE key]`
    package init(put request: Request) throws(ReplyError) {
        var words = WriteWords(request)
        let (tenant, type) = (try words.text(), try words.text())
        let isNew = words.take("NEW")
        let id: String? = try isNew ? nil : words.text()
        var fields: [Field] = []
        var names: Set<String> = []
        while !words.isOver, !words.isAtOption {
            let isNull = words.take("NULL")
            let name = try words.text()
            fields.append(try Field(name, isNull ? nil : words.text()))
            guard names.insert(name).inserted else { throw ReplyError("field \(Self.shown(name)) stands twice") }
        }
        let (version, once) = try words.options()
        if isNew, version != nil { throw ReplyError("IF cannot stand with NEW: there is no version yet") }
        self.init(tenant: tenant, type: type, change: .put(id: id, fields: fields), version: version, once: once)
    }

    /// `CFG.DEL tenant type id [IF version] [ONCE key]`
    package init(delete request: Request) throws(ReplyError) {
        var words = WriteWords(request)
        let (tenant, type, id) = (try words.text(), try words.text(), try words.text())
        let (version, once) = try words.options()
        self.init(tenant: tenant, type: type, change: .delete(id: id), version: version, once: once)
    }

    /// All that the request asks for, written in one way only: repetitions have the same. The tenant is told by its dbid.
    func fingerprint(tenant: Int64) -> String {
        var pieces = ["\(tenant)", type, version.map { "=\($0)" } ?? ""]
        switch change {
        case .put(let id, let fields):
            pieces += ["put", id.map { "=\($0)" } ?? ""]
            for field in fields { pieces += [field.name, field.value.map { "=\($0)" } ?? ""] }
        case .delete(let id): pieces += ["delete", "=\(id)"]
        }
        return pieces.map { "\($0.utf8.count):\($0)" }.joined()
    }

    /// Whether the tenant is told by its name, and not by its dbid.
    var namesTenant: Bool { Request(tenant).integer(0) == nil }

    var isDelete: Bool {
        if case .delete = change { true } else { false }
    }

    /// A client's word inside a message to it: not all of a long one.
    static func shown(_ word: String) -> String { word.count > 64 ? "\(word.prefix(64))…" : word }
}

/// The words of a write, read from the first argument to the last.
private struct WriteWords {
    private let request: Request
    private var next = 1

    init(_ request: Request) { self.request = request }

    var isOver: Bool { next >= request.count }
    var isAtOption: Bool { request.isKeyword(next, "IF") || request.isKeyword(next, "ONCE") }

    /// PostgreSQL stores UTF-8, and no NUL.
    mutating func text() throws(ReplyError) -> String {
        guard !isOver else { throw ReplyError("syntax error") }
        guard let text = request.validText(next), !text.utf8.contains(0) else {
            throw ReplyError("argument \(next) is not text: UTF-8 without NUL")
        }
        next += 1
        return text
    }

    mutating func take(_ keyword: StaticString) -> Bool {
        guard request.isKeyword(next, keyword) else { return false }
        next += 1
        return true
    }

    /// `[IF version] [ONCE key]`, in any order, and nothing behind them.
    mutating func options() throws(ReplyError) -> (version: String?, once: String?) {
        var version: String?
        var once: String?
        while !isOver {
            if version == nil, take("IF") {
                version = try text()
            } else if once == nil, take("ONCE") {
                once = try text()
            } else {
                throw ReplyError("syntax error")
            }
        }
        if let once, once.isEmpty || once.utf8.count > WriteRequest.onceBytes {
            throw ReplyError("a key of ONCE has 1 to \(WriteRequest.onceBytes) bytes")
        }
        return (version, once)
    }
}
