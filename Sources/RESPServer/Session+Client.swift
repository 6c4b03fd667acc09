internal import RESP

/// `CLIENT` and its subcommands.
extension Session {
    mutating func client(_ request: Request, at now: Duration) -> Action {
        let subcommand = request.text(1)?.uppercased() ?? ""
        let words: Int? =
            switch subcommand {
            case "ID", "INFO", "GETNAME", "HELP": 2
            case "SETNAME", "REPLY", "NO-EVICT", "NO-TOUCH": 3
            case "SETINFO": 4
            default: nil
            }
        guard let words else { return refuse(.unknownSubcommand(request, of: "CLIENT")) }
        guard request.count == words else { return refuse(.wrongArity("CLIENT|\(subcommand)")) }
        switch subcommand {
        case "ID": return .answer(.integer(facts.id))
        case "INFO": return .answer(.verbatim(line(at: now) + "\n"))
        case "HELP": return .answer(HelpLines.client)
        case "GETNAME": return .answer(name.isEmpty ? .null : .text(name))
        case "SETNAME":
            guard let name = request.printable(2) else {
                return refuse(request.isTooLong(2) ? .labelTooLong : .badClientName)
            }
            self.name = name
            return .answer(.ok)
        case "SETINFO": return setInfo(request)
        case "NO-EVICT": return setFlag(\.isNotEvicted, request)
        case "NO-TOUCH": return setFlag(\.doesNotTouch, request)
        default: return setReplies(request)
        }
    }

    private mutating func setInfo(_ request: Request) -> Action {
        let attribute = request.text(2)?.lowercased() ?? ""
        guard ["lib-name", "lib-ver"].contains(attribute) else {
            return refuse(ReplyError("Unrecognized option '\(attribute)'"))
        }
        guard let value = request.printable(3) else {
            if request.isTooLong(3) { return refuse(.labelTooLong) }
            return refuse(ReplyError("\(attribute) cannot contain spaces, newlines or special characters."))
        }
        if attribute == "lib-name" { libraryName = value } else { libraryVersion = value }
        return .answer(.ok)
    }

    /// Redis' eviction of clients and clocks of keys do not exist here; what was said is remembered and shown.
    private mutating func setFlag(_ flag: WritableKeyPath<Session, Bool>, _ request: Request) -> Action {
        switch request.text(2)?.uppercased() {
        case "ON": self[keyPath: flag] = true
        case "OFF": self[keyPath: flag] = false
        default: return refuse(.syntax)
        }
        return .answer(.ok)
    }

    private mutating func setReplies(_ request: Request) -> Action {
        switch request.text(2)?.uppercased() {
        case "ON":
            replyMode = .on
            isMuted = false
        case "OFF":
            replyMode = .off
            isMuted = true
        case "SKIP":
            skipsNextReply = replyMode == .on
            isMuted = true
        default: return refuse(.syntax)
        }
        return .answer(.ok)
    }

    /// As `CLIENT INFO` of Redis has it. Of what there is no such thing here, or nobody counts it by client, it says 0 where
    /// libraries read a number (redis-py does), and nothing else.
    private func line(at now: Duration) -> String {
        let flags = (queue == nil ? "" : "x") + (isNotEvicted ? "e" : "") + (doesNotTouch ? "T" : "")
        let age = max((now - facts.accepted).components.seconds, 0)
        let fields: [(String, String)] = [
            ("id", String(facts.id)), ("addr", facts.address), ("laddr", facts.localAddress), ("name", name),
            ("age", String(age)), ("idle", "0"), ("flags", flags.isEmpty ? "N" : flags), ("db", "0"),
            ("sub", "0"), ("psub", "0"), ("multi", queue.map { String($0.commands.count) } ?? "-1"), ("qbuf", "0"),
            ("qbuf-free", "0"), ("argv-mem", "0"), ("obl", "0"), ("oll", "0"), ("omem", "0"), ("tot-mem", "0"),
            ("cmd", "client|info"), ("user", account?.name ?? ""), ("resp", String(version.rawValue)),
            ("lib-name", libraryName), ("lib-ver", libraryVersion),
        ]
        return fields.map { "\($0)=\($1)" }.joined(separator: " ")
    }
}
