internal import RESP

/// What a client has said since `MULTI`.
struct TransactionQueue: Sendable {
    /// Commands a transaction may have.
    static let commandLimit = 1024
    /// Bytes of their requests.
    static let byteLimit = 1 << 20

    private(set) var commands: [QueuedCommand] = []
    private var byteCount = 0
    /// Memory that they take.
    private(set) var heldBytes = 0
    /// Whether a command was refused, so that `EXEC` carries out none.
    var isBroken = false

    /// Keeps a command; false where there is no room for it.
    mutating func append(_ command: QueuedCommand) -> Bool {
        guard commands.count < Self.commandLimit,
            command.request.byteCount <= Self.byteLimit - byteCount
        else { return false }
        commands.append(command)
        byteCount += command.request.byteCount
        heldBytes += command.heldBytes
        return true
    }
}

extension QueuedCommand {
    /// Memory that it takes, its places in the queue and on the heap included.
    var heldBytes: Int { request.heldBytes + 256 }
}

/// `MULTI`, `EXEC`, `DISCARD`: the port carries out what stands between them at once.
extension Session {
    mutating func multi() -> Action {
        guard queue == nil else { return .answer(.error(ReplyError("MULTI calls can not be nested"))) }
        queue = TransactionQueue()
        return .answer(.ok)
    }

    mutating func enqueue(_ command: Command, _ request: Request) -> Action {
        guard !command.flags.contains(.noMulti), !command.flags.contains(.blocking) else {
            return refuse(.notInTransaction)
        }
        guard let isKept = queue?.append(QueuedCommand(command: command, request: request.copied)), isKept else {
            return refuse(ReplyError(code: "LIMIT", message: "too many commands in a transaction"))
        }
        return .answer(.simple("QUEUED"))
    }

    mutating func exec() -> Action {
        guard let queue else { return .answer(.error(ReplyError("EXEC without MULTI"))) }
        self.queue = nil
        guard !queue.isBroken, let account, queue.commands.allSatisfy({ account.may($0.command.permission) }) else {
            return .answer(.error("EXECABORT", "Transaction discarded because of previous errors."))
        }
        guard !queue.commands.isEmpty else { return .answer(.array([])) }
        return .commit(queue.commands, account: account)
    }

    mutating func discard() -> Action {
        guard queue != nil else { return .answer(.error(ReplyError("DISCARD without MULTI"))) }
        queue = nil
        return .answer(.ok)
    }
}

extension Builtin {
    /// Whether it is carried out at once between `MULTI` and `EXEC`.
    var isAllowedInTransaction: Bool {
        switch self {
        case .exec, .discard, .quit, .reset, .multi: true
        case .hello, .auth, .ping, .echo, .select, .client, .command, .info: false
        }
    }
}
