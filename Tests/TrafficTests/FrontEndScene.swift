import Journal
import VoiceEvents

@testable import Traffic

/// A front end and the journal that it writes to and reads.
struct FrontEndScene {
    private(set) var frontEnd: FrontEnd
    /// Entries of the journal, in order.
    private(set) var journal: [VoiceEvent] = []
    private var reference: Int64 = 0

    init() {
        frontEnd = FrontEnd(region: "us-east", server: "us-east-front-end-101", startTime: 1_763_800_000_000_000)
    }

    /// Asks for something and appends what comes of it; gives `Name@DN` of each event, errors with code.
    mutating func ask(
        _ kind: CallRequest.Kind, _ dn: String, _ change: (inout CallRequest) -> Void = { _ in }
    ) -> [String] {
        var request = CallRequest(kind, at: dn)
        change(&request)
        reference += 1
        let events = frontEnd.requested(request, reference: reference, at: 1_763_800_000_000_000 + reference)
        for event in events { append(event) }
        return events.map { event in
            let name = event.name.text.dropFirst(5)
            return "\(name)@\(event.thisDN ?? "-")" + (event.errorCode.map { " \($0)" } ?? "")
        }
    }

    mutating func append(_ event: VoiceEvent) {
        journal.append(event)
        frontEnd.entryRead(event.fields, at: EntryID(first: UInt64(journal.count), second: 0))
    }

    /// Kills the front end; another one begins, and reads the journal.
    mutating func restart() {
        frontEnd = FrontEnd(region: "us-east", server: "us-east-front-end-101", startTime: 1_763_900_000_000_000)
        for (index, event) in journal.enumerated() {
            frontEnd.entryRead(event.fields, at: EntryID(first: UInt64(index + 1), second: 0))
        }
    }

    /// The same behind a journal of which only what came behind entry `trimmed` is kept, and records that have all up to entry
    /// `cursor` in them, those of calls also what came later.
    mutating func restart(trimmed: Int, cursor: Int) {
        let (calls, former) = (frontEnd.calls, frontEnd.agents)
        frontEnd = FrontEnd(region: "us-east", server: "us-east-front-end-101", startTime: 1_763_900_000_000_000)
        for call in calls.values { frontEnd.recordRead(call) }
        for agent in former.values { frontEnd.recordRead(agent) }
        frontEnd.recordsRead(through: EntryID(first: UInt64(cursor), second: 0))
        for (index, event) in journal.enumerated().dropFirst(trimmed) {
            frontEnd.entryRead(event.fields, at: EntryID(first: UInt64(index + 1), second: 0))
        }
    }

    /// ConnID of the call that was begun last.
    var lastCall: String { journal.last { $0.name == .dialing }?.key ?? "" }

    /// State of a party; nil where there is none, or no such call any more.
    func state(_ connID: String, _ dn: String) -> PartyState? { frontEnd.calls[connID]?.party(dn)?.state }

    /// A call between two DNs that talk.
    mutating func talk(_ first: String, _ second: String) -> String {
        _ = ask(.make, first) { $0.otherDN = second }
        let call = lastCall
        _ = ask(.answer, second) { $0.connID = call }
        return call
    }

    /// The same, and the first one consults a third.
    mutating func consultation(_ kind: CallRequest.Kind, answered: Bool = true) -> (main: String, consult: String) {
        let main = talk("1001", "1002")
        _ = ask(kind, "1002") { request in
            request.connID = main
            request.otherDN = "1003"
        }
        let consult = lastCall
        if answered { _ = ask(.answer, "1003") { $0.connID = consult } }
        return (main, consult)
    }

    mutating func complete(_ main: String, _ consult: String) -> [String] {
        ask(.complete, "1002") { request in
            request.connID = main
            request.transferConnID = consult
        }
    }
}
