import Journal
import Projection
import RESP
import Traffic

/// Projects voice journals of tenant 101 to their ends, logs out who is to be, and can stop between any two commands.
struct VoiceRun {
    let redis: PlainRedis
    var region = "us-east"
    var budget: Int?
    var heldRecords = 4096

    struct Result {
        var counts = VoiceFold.Counts()
        /// What the server had against the last Logouts.
        var objection: StoreFailure?
        var wasKilled = false
    }

    func run() async throws -> Result {
        try redis.loadFunctions()
        let store = Killable(redis: redis, budget: budget)
        var fold = VoiceFold(region: region, recordTime: .seconds(600), heldRecords: heldRecords)
        var result = Result()
        do {
            try await fold.follow(
                ["us-east", "eu-west"].map { .voice(tenant: "101", origin: $0) }, from: store)
            while true {
                try await fold.project(into: store)
                result.objection = try await fold.logOut(through: store, at: 5)
                let reads = try await redis.read(behind: fold.wanted, patience: .zero)
                if reads.isEmpty { break }
                for read in reads { try fold.read(read) }
            }
        } catch StoreFailure.unreachable {
            result.wasKilled = true
        }
        result.counts = fold.counts
        return result
    }
}

/// All calls and agents of a server.
struct VoiceImage {
    var hashes: [String: [String: String]] = [:]
    var active: Set<String> = []
    var superseded: Set<String> = []

    /// Keys that hold something else here than there.
    func differences(from other: VoiceImage) -> [String] {
        var keys = Set(hashes.keys).union(other.hashes.keys).filter { hashes[$0] != other.hashes[$0] }.map { key in
            "\(key): \(hashes[key] ?? [:]) against \(other.hashes[key] ?? [:])"
        }
        if active != other.active { keys.append("active: \(active.symmetricDifference(other.active))") }
        if superseded != other.superseded { keys.append("superseded: \(superseded) against \(other.superseded)") }
        return keys.sorted()
    }

    init(_ redis: PlainRedis) throws {
        for pattern in ["call:*", "agent:*", "rs:*:projection"] {
            for key in try redis("KEYS", pattern).elements.compactMap(\.text) { hashes[key] = try redis.hash(key) }
        }
        active = try redis.members("calls:{101}:active")
        superseded = try redis.members("rs:{101}:superseded")
    }
}

/// Draws events of calls and agents of two regions; some are allowed, some are not.
struct VoiceTraffic {
    var random: SplitMix64
    /// Far in the future: a server then gives its own entries the next ID, as it does while its clock is behind.
    private var clock: UInt64 = 4_000_000_000_000
    private var calls = 0

    init(random: SplitMix64) { self.random = random }

    mutating func next() -> (JournalName, String, String, String, String) {
        clock += UInt64.random(in: 1...3, using: &random)
        let isEast = Bool.random(using: &random)
        let journal = JournalName.voice(tenant: "101", origin: isEast ? "us-east" : "eu-west")
        let id = "\(clock)-\(Int.random(in: 0...9, using: &random))"
        let dn = "\(Int.random(in: 100...103, using: &random))"
        if Int.random(in: 0..<3, using: &random) == 0 {
            let events = [
                "AgentLogin", "AgentLogin", "AgentReady", "AgentNotReady", "AgentLogout", "AgentAfterCallWork", "DNDOn",
                "DNDOff",
            ]
            let agent = "a\(Int.random(in: 1...4, using: &random))"
            let data = #"{"ThisDN":"\#(dn)","AgentID":"\#(agent)","WorkMode":2,"time":\#(clock)}"#
            return (journal, id, "Event" + (events.randomElement(using: &random) ?? ""), agent, data)
        }
        if Int.random(in: 0..<4, using: &random) == 0 { calls += 1 }
        let call = "\(isEast ? "e" : "w")\(max(0, calls - Int.random(in: 0...3, using: &random)))"
        let events = [
            "Ringing", "Established", "Established", "Released", "Released", "Held", "Retrieved", "Queued", "Diverted",
            "Dialing", "PartyChanged", "AttachedDataChanged",
        ]
        let name = events.randomElement(using: &random) ?? ""
        var data = #"{"ThisDN":"\#(dn)","ConnID":"\#(call)","time":\#(clock),"UserData":{"n":\#(clock)}"#
        if name == "PartyChanged" {
            data += #","CallState":1,"PreviousConnID":"\#(isEast ? "e" : "w")\#(max(0, calls - 1))""#
        }
        return (journal, id, "Event" + name, call, data + "}")
    }
}
