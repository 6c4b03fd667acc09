import Foundation
import Testing
import Traffic
import VoiceEvents

/// The schemas that ops/schemas holds, as far as they use JSON Schema.
private struct EventSchema {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "ops/schemas")
    private let schema: [String: Any]

    init(named name: String) throws {
        let data = try Data(contentsOf: Self.folder.appending(path: "\(name).json"))
        schema = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    var attributes: Set<String> { Set((schema["properties"] as? [String: Any] ?? [:]).keys) }

    /// What is wrong with an event's data; nothing where it fits.
    func problems(with data: [UInt8]) throws -> [String] {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(data)) as? [String: Any])
        var required = schema["required"] as? [String] ?? []
        if let condition = schema["if"] as? [String: Any], problems(of: object, by: condition).isEmpty,
            let consequence = schema["then"] as? [String: Any]
        {
            required += consequence["required"] as? [String] ?? []
        }
        return required.filter { object[$0] == nil }.map { "\($0) is missing" } + problems(of: object, by: schema)
    }

    private func problems(of object: [String: Any], by schema: [String: Any]) -> [String] {
        let properties = schema["properties"] as? [String: Any] ?? [:]
        return object.compactMap { name, value in
            guard let rule = properties[name] as? [String: Any], !Self.fits(value, rule) else { return nil }
            return "\(name) is \(value)"
        }
    }

    private static func fits(_ value: Any, _ rule: [String: Any]) -> Bool {
        switch rule["type"] as? String {
        case "string":
            guard let text = value as? String else { return false }
            let range = (rule["minLength"] as? Int ?? 0)...(rule["maxLength"] as? Int ?? .max)
            return range.contains(text.unicodeScalars.count)
        case "object": return value is [String: Any]
        case "integer", nil:
            guard let number = value as? Int, !(value is String) else { return false }
            if let constant = rule["const"] as? Int, number != constant { return false }
            if let allowed = rule["enum"] as? [Int], !allowed.contains(number) { return false }
            return ((rule["minimum"] as? Int ?? .min)...(rule["maximum"] as? Int ?? .max)).contains(number)
        default: return false
        }
    }
}

private struct EventSchemas {
    private let call: EventSchema
    private let agent: EventSchema
    private let other: EventSchema

    init() throws {
        call = try EventSchema(named: "call-event")
        agent = try EventSchema(named: "agent-event")
        other = try EventSchema(named: "other-event")
    }

    func problems(of event: VoiceEvent) throws -> [String] {
        let schema =
            switch event.name.topic {
            case .call: call
            case .agent: agent
            case .free: other
            }
        return try schema.problems(with: event.encodedData())
    }
}

@Suite("Schemas of event data") struct EventSchemaTests {
    @Test("the generator's events fit", arguments: [1, 2] as [UInt64])
    func generator(seed: UInt64) throws {
        let tenants = [TenantInventory.synthetic(tenant: 101, agents: 30)]
        var generator = TrafficGenerator(
            .init(server: "us-east", seed: seed, startTime: 1_763_800_000_000_000), tenants: tenants)
        let schemas = try EventSchemas()
        var topics: Set<EventName.Topic> = []
        for number in 0..<4_000 {
            guard let event = generator.next(at: 1_763_800_000_000_000 + Int64(number))?.event else { continue }
            topics.insert(event.name.topic)
            let problems = try schemas.problems(of: event)
            try #require(problems.isEmpty, "seed \(seed), event \(number), \(event.name): \(problems)")
        }
        #expect(topics == [.call, .agent])
    }

    @Test("the front end's events fit, errors included")
    func frontEnd() throws {
        var scene = FrontEndScene()
        _ = scene.ask(.login, "1002") { request in
            request.agentID = "A1"
            request.thisQueue = "9001"
            request.workMode = .manualIn
        }
        _ = scene.ask(.ready, "1002") { request in
            request.agentID = "A1"
            request.reason = "back"
        }
        for kind in [CallRequest.Kind.transfer, .conference] {
            let (main, consult) = scene.consultation(kind)
            _ = scene.complete(main, consult)
            _ = scene.ask(.sendDTMF, "1003") { request in
                request.connID = main
                request.digits = "1"
            }
            _ = scene.ask(.attachData, "1003") { request in
                request.connID = main
                request.userData = #"{"a":1}"#
            }
            _ = scene.ask(.hold, "1001") { $0.connID = "none" }
            _ = scene.ask(.release, "1002") { $0.connID = main }
            _ = scene.ask(.release, "1003") { $0.connID = main }
        }
        let schemas = try EventSchemas()
        var topics: Set<EventName.Topic> = []
        for event in scene.journal {
            topics.insert(event.name.topic)
            let problems = try schemas.problems(of: event)
            #expect(problems.isEmpty, "\(event.name): \(problems)")
        }
        #expect(topics == [.call, .agent, .free])
    }

    @Test("what lacks an attribute, or has it of another kind, does not fit")
    func refuses() throws {
        var scene = FrontEndScene()
        _ = scene.consultation(.transfer)
        let dialing = try #require(scene.journal.last { $0.name == .dialing })
        let schemas = try EventSchemas()
        var event = dialing
        event.previousConnID = nil
        #expect(try schemas.problems(of: event) == ["PreviousConnID is missing"])
        event = dialing
        event.connID = nil
        #expect(try schemas.problems(of: event) == ["ConnID is missing"])
        event = dialing
        event.callType = CallType(rawValue: 9)
        #expect(try schemas.problems(of: event) == ["CallType is 9"])
        event = dialing
        event.userData = "[]"
        #expect(try schemas.problems(of: event).count == 1)
        event = dialing
        event.referenceID = 1 << 32
        #expect(try schemas.problems(of: event).count == 1)
    }

    @Test("every attribute that is read is in one of them")
    func namesAll() throws {
        let described = try ["call-event", "agent-event", "other-event"].map { try EventSchema(named: $0).attributes }
        let named = described.reduce(into: Set<String>()) { $0.formUnion($1) }
        #expect(named == Set(VoiceAttribute.allCases.map(\.rawValue)))
    }

    @Test(
        "the page names every event by its schema",
        arguments: [
            ("call-event", EventName.Topic.call), ("agent-event", EventName.Topic.agent),
            ("other-event", EventName.Topic.free),
        ])
    func names(schema: String, topic: EventName.Topic) throws {
        let page = try String(contentsOf: EventSchema.folder.appending(path: "README.md"), encoding: .utf8)
        let item = try #require(page.components(separatedBy: "\n- ").first { $0.hasPrefix("`\(schema).json`:") })
        let named = item.components(separatedBy: "`").filter { $0.hasPrefix("Event") }
        #expect(Set(named) == Set(EventName.allCases.filter { $0.topic == topic }.map(\.text)))
    }
}
