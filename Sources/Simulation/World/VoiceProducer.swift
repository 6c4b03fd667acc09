internal import Journal
internal import RESP
internal import Traffic
internal import VoiceEvents

/// The listeners of a region: calls that ring, are answered and end, written to the region's own Redis. No two events are
/// the same.
struct VoiceProducer: Sendable {
    let region: String
    let tenants: [String]
    /// Calls that have not ended, and whether they are answered.
    private var calls: [(tenant: String, connID: String, isAnswered: Bool)] = []
    private var count = 0

    init(region: String, tenants: [String]) {
        self.region = region
        self.tenants = tenants
    }

    /// The next event, for one of the tenants.
    mutating func next(_ random: inout SplitMix64) -> (journal: JournalName, fields: [String]) {
        count += 1
        let tenant: String
        let name: EventName
        let connID: String
        if calls.isEmpty || calls.count < 4 && random.chance(percent: 40) {
            connID = "\(region)-\(count)"
            tenant = tenants[random.below(tenants.count)]
            calls.append((tenant, connID, false))
            name = .ringing
        } else {
            let index = random.below(calls.count)
            (tenant, connID) = (calls[index].tenant, calls[index].connID)
            if calls[index].isAnswered || random.chance(percent: 20) {
                name = calls.remove(at: index).isAnswered ? .released : .abandoned
            } else {
                calls[index].isAnswered = true
                name = .established
            }
        }
        let data = #"{"id":"\#(region)-\#(count)","ThisDN":"100","ConnID":"\#(connID)","CallType":2}"#
        return (.voice(tenant: tenant, origin: region), ["event", name.text, "key", connID, "data", data])
    }
}
