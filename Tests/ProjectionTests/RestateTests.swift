import Journal
import Projection
import RESP
import ServerFixtures
import Testing
import Traffic
import VoiceEvents

private let east = RestateRun.journals[0]
private let state = "rs:{101}:projection"

@Suite("Restated calls and agents", .serialized)
struct RestateTests {
    private func add(_ entry: (JournalName, String, String, String, String), _ redis: PlainRedis) throws {
        try redis("XADD", entry.0.key, entry.1, "event", entry.2, "key", entry.3, "data", entry.4)
    }

    private func add(_ id: String, _ event: String, _ key: String, _ dn: String, _ redis: PlainRedis) throws {
        try add((east, id, "Event" + event, key, #"{"ThisDN":"\#(dn)","ConnID":"\#(key)","time":5}"#), redis)
    }

    private func withTwo(_ body: (PlainRedis, PlainRedis) async throws -> Void) async throws {
        try await withRedis { full in try await withRedis { new in try await body(full, new) } }
    }

    // MARK: The fold

    /// A region whose copy lacks what is up to 1-9.
    private func lacking(_ redis: PlainRedis) throws {
        try redis("HSET", east.metaKey, "missed:ap-south", "4 1-9")
    }

    private func project(_ redis: PlainRedis) async throws -> VoiceFold.Counts {
        var run = VoiceRun(redis: redis)
        run.region = "ap-south"
        return try await run.run().counts
    }

    private let told =
        #"{"call":{"ConnID":"c1","Region":"us-east","CallType":"2","CallState":"0","firstEntry":"1-1","#
        + #""lastEntry":"2-0","beganAt":"3","party:100":"12 2 4","party:200":"10 2 5"}}"#

    @Test(
        "A record of which half is known is replaced where something is missing, and only there",
        arguments: [true, false])
    func replaced(isLacking: Bool) async throws {
        try await withRedis { redis in
            if isLacking { try lacking(redis) }
            try add("2-0", "Ringing", "c1", "200", redis)
            #expect(try await project(redis).restated == 0)
            try add((east, "2-1", "Restated", "c1", told), redis)
            #expect(try await project(redis).restated == (isLacking ? 1 : 0))
            #expect(try redis.hash("call:{101}:c1")["party:100"] == (isLacking ? "12 2 4" : nil))
            #expect(try redis.members("calls:{101}:active") == ["c1"])
            // From there on it goes on as anywhere.
            try add("2-2", "Released", "c1", "200", redis)
            #expect(try await project(redis).illegal == 0)
            #expect(try redis.members("calls:{101}:active") == (isLacking ? ["c1"] : []))
        }
    }

    @Test(
        "A record that is not known is made; what ended by half of its events lives again, what was closed does not"
    )
    func ended() async throws {
        try await withRedis { redis in
            try add((east, "1-1", "Restated", "c1", told), redis)
            #expect(try await project(redis).restated == 1)
            #expect(try redis.hash("call:{101}:c1")["party:200"] == "10 2 5")
            for dn in ["100", "200"] { try add("3-\(dn)", "Released", "c1", dn, redis) }
            try add((east, "4-0", "Restated", "c1", told), redis)
            #expect(try await project(redis).restated == 0)
            #expect(try redis.members("calls:{101}:active") == [])
        }
        try await withRedis { redis in
            try lacking(redis)
            for event in ["Ringing", "Released"] { try add("2-\(event.count)", event, "c1", "200", redis) }
            _ = try await project(redis)
            #expect(try redis("TTL", "call:{101}:c1") != .integer(-1))
            try add((east, "3-0", "Restated", "c1", told), redis)
            #expect(try await project(redis).restated == 1)
            #expect(try redis("TTL", "call:{101}:c1") == .integer(-1))
            #expect(try redis.hash("call:{101}:c1")["endedAt"] == nil)
            #expect(try redis.members("calls:{101}:active") == ["c1"])
            let west = RestateRun.journals[1]
            for dn in ["100", "200"] {
                let data = #"{"ThisDN":"\#(dn)","ConnID":"c1","CallState":4,"RegionDown":"us-east","time":7}"#
                try add((west, "4-\(dn)", "EventReleased", "c1", data), redis)
            }
            #expect(try await project(redis).illegal == 0)
            try add((east, "5-0", "Restated", "c1", told), redis)
            #expect(try await project(redis).restated == 0)
            #expect(try redis.members("calls:{101}:active") == [])
        }
    }

    @Test("The end counts where it is as of a place behind all that is missing, in the step that moves the cursor")
    func end() async throws {
        try await withRedis { redis in
            try lacking(redis)
            for (id, since) in [("2-0", "1-8"), ("3-0", "x")] {
                try add((east, id, "Restated", "ap-south", #"{"end":{"since":"\#(since)","records":"0"}}"#), redis)
            }
            #expect(try await project(redis).unreadable == 1)
            #expect(try redis.hash(state) == ["voice:us-east": "3-0"])
            try add((east, "4-0", "Restated", "eu-west", #"{"end":{"since":"1-9","records":"0"}}"#), redis)
            _ = try await project(redis)
            #expect(try redis.hash(state) == ["voice:us-east": "4-0", "restated:voice:us-east": "1-9"])
            // The next gap is another one.
            try redis("HSET", east.metaKey, "missed:ap-south", "9 5-0")
            var fold = VoiceFold(region: "ap-south", recordTime: .seconds(9))
            try await fold.follow([east], from: redis)
            let gap = try #require(EntryID("5-0"))
            #expect(fold.incomplete == [east: .lacking(through: gap, isFirst: false)])
        }
    }

    @Test("A copy that lacks nothing says so, and what is not said is not known")
    func whole() async throws {
        try await withRedis { redis in
            try redis.loadFunctions()
            var fold = VoiceFold(region: "ap-south", recordTime: .seconds(9))
            try await fold.follow(RestateRun.journals, from: redis)
            #expect(fold.incomplete == [RestateRun.journals[0]: .unknown, RestateRun.journals[1]: .unknown])
            try redis("HSET", east.metaKey, "missed:ap-south", "0 0-0")
            try redis("SET", RestateRun.journals[1].metaKey, "no hash")
            try add("2-0", "Ringing", "c1", "200", redis)
            _ = try await project(redis)
            #expect(try redis.hash(state)["restated:voice:us-east"] == "0-0")
            try await fold.lookForGaps(in: redis)
            #expect(fold.incomplete == [RestateRun.journals[1]: .unknown])
        }
    }

    // MARK: The functions

    @Test("What lives and is the region's own is restated, and not while something about it is unread")
    func function() async throws {
        try await withTwo { full, new in
            var run = try RestateRun(full: full, new: new)
            for (number, call) in ["c1", "c2", "c3", "c4"].enumerated() {
                try add("1-\(number + 1)", "Ringing", call, "100", full)
            }
            try add("1-5", "Released", "c2", "100", full)
            let login = #"{"ThisDN":"7","AgentID":"a","time":5}"#
            try add((RestateRun.journals[1], "1-1", "EventAgentLogin", "a", login), full)
            _ = try await VoiceRun(redis: full).run()
            try run.begin(behind: [5, 0])
            // Unread: one about c3, and one that takes a party from c4.
            try add("2-1", "Established", "c3", "100", full)
            let moved = #"{"ThisDN":"300","ConnID":"c9","CallState":1,"PreviousConnID":"c4"}"#
            try add((east, "2-2", "EventPartyChanged", "c9", moved), full)
            #expect(try run.begin(east) == nil || run.begin(east)?.since == "1-5")
            var telling = RestateRun.Telling(since: "1-5", birth: "b")
            telling.left = ["c1", "c2", "c3", "c4", "none"].map { ("call", $0) } + [("agent", "a")]
            var next = try #require(try run.goOn(east, telling, count: 9, request: "8-0"))
            #expect(next.told == 1 && next.left.map(\.id) == ["c3", "c4"])
            _ = try await VoiceRun(redis: full).run()
            next = try #require(try run.goOn(east, next, count: 9, request: "8-0"))
            #expect(next.told == 3 && next.left.isEmpty)
            #expect(try run.goOn(east, next, count: 9, request: "8-0") == nil)
            let length = try full("XLEN", east.key)
            // Answered, that and any before it; and not for a journal that was born again.
            for request in ["8-0", "7-9"] {
                let answer = try full(
                    "FCALL", "rsr1_end", "3", state, east.key, east.metaKey, "voice:us-east", "b", next.last, "1-5",
                    "answered:ap-south", request, "ap-south", "{}")
                #expect(answer == .integer(0))
            }
            for (birth, last, since) in [("x", next.last, "1-5"), ("b", "2-9", "1-5"), ("b", "", "9999999999999-0")] {
                let answer = try full(
                    "FCALL", "rsr1_end", "3", state, east.key, east.metaKey, "voice:us-east", birth, last, since,
                    "answered:ap-south", "9-0", "ap-south", "{}")
                #expect(answer.text == (since == "1-5" ? "OTHER" : "BEFORE"))
            }
            #expect(try full("XLEN", east.key) == length)
            #expect(try full.hash(state)["answered:ap-south"] == "8-0")
            try run.copy()
            #expect(try await project(new).unreadable == 0)
            #expect(try new.members("calls:{101}:active") == ["c1", "c3", "c4"])
        }
    }

    // MARK: All of it

    @Test("A fold that begins anywhere, and is restated what lives, ends as one that has seen all", arguments: 1...8)
    func anywhere(seed: UInt64) async throws {
        try await withTwo { full, new in
            var random = SplitMix64(seed: seed)
            var traffic = LegalTraffic(VoiceTraffic(random: SplitMix64(seed: seed &+ 500)))
            var run = try RestateRun(full: full, new: new)
            for _ in 0..<Int.random(in: 20...200, using: &random) { try add(traffic.next(), full) }
            _ = try await VoiceRun(redis: full).run()
            let lengths = try RestateRun.journals.map { try full("XLEN", $0.key) }
            try run.begin(
                behind: lengths.map { length in
                    guard case .integer(let count) = length else { return 0 }
                    return Int.random(in: 0...Int(count), using: &random)
                })
            var tellings: [JournalName: RestateRun.Telling] = [:]
            var open = Set(RestateRun.journals)
            for round in 0... {
                // It becomes quiet at last, so that it can end.
                if round < 60 {
                    for _ in 0..<Int.random(in: 0...6, using: &random) { try add(traffic.next(), full) }
                }
                if round > 80 || Bool.random(using: &random) { _ = try await VoiceRun(redis: full).run() }
                for journal in open.sorted() {
                    if let telling = tellings[journal] {
                        let count = Int.random(in: 1...5, using: &random)
                        tellings[journal] = try run.goOn(journal, telling, count: count, request: "\(round)-0")
                        if tellings[journal] == nil { open.remove(journal) }
                    } else {
                        tellings[journal] = try run.begin(journal)
                    }
                }
                try run.copy()
                var part = VoiceRun(redis: new, region: "ap-south")
                part.budget = Int.random(in: 0...40, using: &random)
                part.heldRecords = Bool.random(using: &random) ? 0 : 100
                _ = try await part.run()
                if open.isEmpty, round >= 60 { break }
                try #require(round < 2000)
            }
            _ = try await VoiceRun(redis: full).run()
            try run.copy()
            _ = try await VoiceRun(redis: new, region: "ap-south").run()
            let (seen, begun) = (try VoiceImage(full), try VoiceImage(new))
            #expect(begun.live == seen.live, "seed \(seed)")
            #expect(begun.active == seen.active && seen.live.count > 5, "seed \(seed)")
            var fold = VoiceFold(region: "ap-south", recordTime: .seconds(9))
            try await fold.follow(RestateRun.journals, from: new)
            #expect(fold.incomplete.isEmpty, "seed \(seed)")
        }
    }
}

/// Traffic without events of calls that their states do not allow, and without calls that begin once more.
private struct LegalTraffic {
    private var traffic: VoiceTraffic
    private var calls: [String: CallMachine] = [:]

    init(_ traffic: VoiceTraffic) { self.traffic = traffic }

    mutating func next() -> (JournalName, String, String, String, String) {
        while true {
            let entry = traffic.next()
            let fields = [("event", entry.2), ("key", entry.3), ("data", entry.4)]
            guard let event = try? VoiceEvent(fields: fields), case .call(let id) = event.subject,
                let place = EntryID(entry.1)
            else { return entry }
            let origin = entry.0.origin
            var call = calls[id] ?? CallMachine(connID: id, region: origin)
            guard call.eventRead(event, at: place, from: origin).isLegal else { continue }
            if let left = event.connIDLeft, var other = calls[left] {
                guard other.partyMoved(event, at: place, from: origin).isLegal else { continue }
                calls[left] = other
            }
            calls[id] = call
            return entry
        }
    }
}
