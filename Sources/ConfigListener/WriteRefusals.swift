internal import RESP
internal import RegionConfig

/// What clients are told where PostgreSQL refuses a write: a code, and the field that it is about where that is known.
extension WrittenSchema {
    func reply(to refusal: DatabaseRefusal, toDelete isDelete: Bool, in table: WrittenTable) -> ReplyError {
        switch refusal.code {
        case "23503" where isDelete:
            return ReplyError(
                code: "CONFLICT",
                message: "\(owner(of: refusal) ?? "another object"): refers to this \(table.entry.type) still")
        case "23503":
            let fields = fields(of: refusal, in: table)
            guard fields != [table.entry.tenant] else {
                return ReplyError(code: "NOTENANT", message: "no such tenant")
            }
            return ReplyError(code: "NOTFOUND", message: "\(named(fields)): names an object that is not there")
        case "23505", "23P01":
            return ReplyError(
                code: "CONFLICT",
                message: "\(named(fields(of: refusal, in: table))): another object has this value already")
        case "23000":
            return ReplyError(
                code: "CONFLICT", message: "\(refusal.column ?? table.entry.type): cannot change after creation")
        case "23502":
            return ReplyError("\(named(fields(of: refusal, in: table))): must have a value")
        case "23514":
            return ReplyError(
                "\(named(fields(of: refusal, in: table))): value not allowed"
                    + (refusal.constraint.map { " (\($0))" } ?? ""))
        default: return Self.reply(to: refusal)
        }
    }

    /// Where the error is not about an object.
    static func reply(to refusal: DatabaseRefusal) -> ReplyError {
        switch refusal.code {
        case _ where refusal.isAboutTime:
            ReplyError(code: "TIMEOUT", message: "others hold the objects for too long; nothing was written")
        case "40001", "40P01":
            ReplyError(
                code: "CONFLICT", message: "others write the same objects again and again; nothing was written")
        case "25006":
            ReplyError(code: "UNAVAILABLE", message: "PostgreSQL takes no writes")
        case "42501":
            ReplyError("\(refusal.message): regionsync migrate grants what writes need")
        case let code where ["08", "53", "57", "58", "XX"].contains(code.prefix(2)):
            ReplyError(code: "UNAVAILABLE", message: "PostgreSQL: \(refusal.message)")
        case let code where code.hasPrefix("22"):
            ReplyError("PostgreSQL: \(refusal.message)")
        default: ReplyError("PostgreSQL refuses it: \(refusal.message) (\(refusal.code))")
        }
    }

    /// The fields that an error is about, the tenant left out where there are others.
    private func fields(of refusal: DatabaseRefusal, in table: WrittenTable) -> [String] {
        if let column = refusal.column, table[column] != nil { return [column] }
        guard let schema = refusal.schema, let name = refusal.table else { return [] }
        let owner = TableName(schema: schema, name: name)
        guard owner == table.entry.table else {
            return ObjectRules.field(of: table, keptIn: owner).map { [$0] } ?? []
        }
        let columns = constraint(of: refusal)?.columns ?? []
        let others = columns.filter { $0 != table.entry.tenant }
        return others.isEmpty ? columns : others
    }

    private func named(_ fields: [String]) -> String {
        fields.isEmpty ? "a value" : fields.joined(separator: ", ")
    }

    /// The type of the objects that a refusal is about.
    private func owner(of refusal: DatabaseRefusal) -> String? {
        guard let schema = refusal.schema, let name = refusal.table else { return nil }
        let table = TableName(schema: schema, name: name)
        return tables.values.first { $0.entry.table == table }?.entry.type ?? name
    }
}

extension DatabaseRefusal {
    /// Trying again may succeed: others wrote the same at the same time.
    var isTransient: Bool { code == "40001" || code == "40P01" }
    /// A table or column is not, or not as, it was.
    var isAboutNames: Bool { ["42703", "42P01", "42804", "428C9", "0A000"].contains(code) }
    /// It waited for others for too long: locks, or the statement as a whole.
    var isAboutTime: Bool { code == "55P03" || code == "57014" }
    /// A value is none of its type.
    var isAboutValue: Bool { code.hasPrefix("22") }
}

extension DatabaseFailure {
    /// What clients are told of a database that is not at hand.
    var reply: ReplyError {
        switch self {
        case .refused(let refusal): WrittenSchema.reply(to: refusal)
        case .lost: ReplyError(code: "UNAVAILABLE", message: "PostgreSQL went away; nothing was written")
        case .away(let reason): ReplyError(code: "UNAVAILABLE", message: reason)
        case .busy:
            ReplyError(code: "UNAVAILABLE", message: "all connections to PostgreSQL are busy; nothing was written")
        case .outcomeUnknown:
            ReplyError(
                code: "UNAVAILABLE",
                message: "PostgreSQL went away while it wrote: it may be written or not; asking again with the same "
                    + "ONCE key is safe")
        }
    }
}

extension ReplyError {
    /// There is no such object, as far as the tenant goes.
    static let noObject = ReplyError(code: "NOTFOUND", message: "no such object")
    /// `name` is not the name of the tenant any more that it was looked up for, up to a second ago.
    static func misnamed(_ name: String) -> ReplyError {
        ReplyError(
            code: "CONFLICT",
            message: "\(WriteRequest.shown(name)): names another tenant by now, or none; nothing was written: say the "
                + "dbid of the one that is meant")
    }

    /// What the server that is reached commits is lost.
    static let formerPrimary = ReplyError(
        code: "UNAVAILABLE",
        message: "the PostgreSQL that is reached is a former primary: another one took over; nothing is written there")

    /// Whether it was written is not known yet.
    static let onceInProgress = ReplyError(
        code: "UNAVAILABLE", message: "the same ONCE key is being written; ask again with it")
}
