internal import RESP
internal import RESPServer
internal import Tenants
internal import VoiceEvents

/// How one kind of request is written: `<kind> tenant thisDN <arguments> [<option> <value> …]`.
struct RequestForm: Sendable {
    /// An argument at a fixed place.
    enum Argument: String, Sendable {
        case thisDN
        case otherDN
        case connID
        case consultConnID
        case digits
        case data = "json"
        case agentID
    }

    /// An argument behind its word; also `ONCE`, which all have.
    enum Option: String, Sendable {
        case type = "TYPE"
        case data = "DATA"
        case queue = "QUEUE"
        case mode = "MODE"
        case reason = "REASON"
        case once = "ONCE"
    }

    /// What a client asks for.
    struct Asked {
        /// As the client names it.
        let tenant: String
        let request: CallRequest
        let once: String?
    }

    let kind: CallRequest.Kind
    /// The arguments behind `thisDN`.
    let arguments: [Argument]
    /// One that may follow them.
    var further: Argument?
    let options: [Option]
    let summary: String

    static let all = [
        RequestForm(.make, [.otherDN], [.type, .data], "Calls another DN."),
        RequestForm(.answer, [.connID], [], "Answers a call that rings."),
        RequestForm(.hold, [.connID], [], "Holds a call."),
        RequestForm(.retrieve, [.connID], [], "Retrieves a call that is held."),
        RequestForm(.release, [.connID], [], "Leaves a call; one of two parties ends it."),
        RequestForm(.transfer, [.connID, .otherDN], [], "Holds a call and consults another DN, to transfer it there."),
        RequestForm(.conference, [.connID, .otherDN], [], "Holds a call and consults another DN, to add it."),
        RequestForm(.complete, [.connID, .consultConnID], [], "Completes a transfer or conference."),
        RequestForm(.sendDTMF, [.connID, .digits], [], "Sends digits into a call."),
        RequestForm(.attachData, [.connID, .data], [], "Replaces the data attached to a call."),
        RequestForm(.login, [.agentID], [.queue, .mode], "Logs an agent in."),
        RequestForm(.logout, [], further: .agentID, [], "Logs an agent out."),
        RequestForm(.ready, [.agentID], [.mode, .reason], "Lets an agent be given calls."),
        RequestForm(.notReady, [.agentID], [.mode, .reason], "Lets an agent be given no calls."),
    ]

    private init(
        _ kind: CallRequest.Kind, _ arguments: [Argument], further: Argument? = nil, _ options: [Option],
        _ summary: String
    ) {
        self.kind = kind
        self.arguments = arguments
        self.further = further
        self.options = options + [.once]
        self.summary = summary
    }

    /// With the command's name, the tenant and `thisDN`; options may follow.
    var arity: Int { -(3 + arguments.count) }

    var documentation: Command.Documentation {
        var described = [Command.Argument("tenant"), Command.Argument(Argument.thisDN.rawValue)]
        described += arguments.map { Command.Argument($0.rawValue) }
        if let further { described.append(Command.Argument(further.rawValue, isOptional: true)) }
        described += options.map { Command.Argument($0.rawValue.lowercased(), token: $0.rawValue, isOptional: true) }
        return Command.Documentation(summary, group: "call-control", arguments: described)
    }
}

// MARK: Reading

extension RequestForm {
    /// Reads the words of a call that has as many as the arity says.
    func read(_ words: Request) throws(ReplyError) -> Asked {
        guard let tenant = words.validText(1) else { throw .noTenant }
        var request = CallRequest(kind, at: try RequestWords.name(words, 2, Argument.thisDN.rawValue))
        for (place, argument) in arguments.enumerated() { try read(argument, words, 3 + place, into: &request) }
        var next = 3 + arguments.count
        // Options come in pairs.
        if let further, (words.count - next) % 2 == 1 {
            try read(further, words, next, into: &request)
            next += 1
        }
        var given: Set<Option> = []
        var once: String?
        while next < words.count {
            guard let option = words.text(next).flatMap({ Option(rawValue: $0.uppercased()) }),
                options.contains(option), given.insert(option).inserted, next + 1 < words.count
            else { throw ReplyError("syntax error") }
            if option == .once {
                once = try RequestWords.onceKey(words, next + 1)
            } else {
                try read(option, words, next + 1, into: &request)
            }
            next += 2
        }
        guard request.otherDN != request.thisDN else { throw ReplyError("otherDN: expected another than thisDN") }
        return Asked(tenant: tenant, request: request, once: once)
    }

    private func read(
        _ argument: Argument, _ words: Request, _ place: Int, into request: inout CallRequest
    ) throws(ReplyError) {
        let name = argument.rawValue
        switch argument {
        case .thisDN: break
        case .otherDN: request.otherDN = try RequestWords.name(words, place, name)
        case .connID: request.connID = try RequestWords.connID(words, place, name)
        case .consultConnID: request.transferConnID = try RequestWords.connID(words, place, name)
        case .digits: request.digits = try RequestWords.digits(words, place, name)
        case .data: request.userData = try RequestWords.json(words, place, name)
        case .agentID: request.agentID = try RequestWords.name(words, place, name)
        }
    }

    private func read(
        _ option: Option, _ words: Request, _ place: Int, into request: inout CallRequest
    ) throws(ReplyError) {
        let name = option.rawValue
        switch option {
        case .type: request.callType = try RequestWords.callType(words, place, name)
        case .data: request.userData = try RequestWords.json(words, place, name)
        case .queue: request.thisQueue = try RequestWords.name(words, place, name)
        case .mode: request.workMode = try RequestWords.workMode(words, place, name)
        case .reason: request.reason = try RequestWords.reason(words, place, name)
        case .once: break
        }
    }
}
