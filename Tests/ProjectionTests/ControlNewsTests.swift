import Journal
import Projection
import RESP
import Testing

@Suite("What a control journal says of regions")
struct ControlNewsTests {
    private static func down(_ history: UInt64) -> [String] {
        let down = RegionDown(region: "ap-south", history: history, cuts: [:])
        return ["event", RegionDown.event, "key", down.region, "data", down.data]
    }

    private static let rejoined = ["event", RegionDown.rejoinedEvent, "key", "ap-south", "data", "{}"]

    private func news(_ entries: [[String]]) throws -> ControlNews {
        var builder = EntryBatchBuilder(previous: .zero)
        for (index, words) in entries.enumerated() {
            builder.append(id: EntryID(first: UInt64(index + 1), second: 0), fields: words.count / 2) { strings in
                for word in words { strings.append(word) }
            }
        }
        return try ControlNews(try #require(builder.batch()), for: "eu-west")
    }

    private func word(_ entries: [[String]]) throws -> String {
        let word = try news(entries).words["ap-south"]
        return switch word {
        case .down(let down, let isAnew): "down \(down.history) by \(down.entry)" + (isAnew ? ", anew" : "")
        case .rejoined: "rejoined"
        case nil: "nothing"
        }
    }

    @Test("the last word counts; a declaration behind a rejoining is one anew")
    func lastWord() throws {
        let (down, rejoined) = (Self.down, Self.rejoined)
        #expect(try word([down(2)]) == "down 2 by 1-0")
        #expect(try word([down(2), down(3)]) == "down 3 by 2-0")
        #expect(try word([down(2), rejoined]) == "rejoined")
        #expect(try word([rejoined, down(3)]) == "down 3 by 2-0, anew")
        #expect(try word([down(2), rejoined, down(3)]) == "down 3 by 3-0, anew")
    }

    @Test("the last request to restate that is for this region is kept")
    func request() throws {
        let requests = [("eu-west", "7"), ("eu-west", "8"), ("ap-south", "9")].map { owner, tenant in
            let request = RestateRequest(owner: owner, tenants: [tenant: EntryID(first: 5, second: 0)])
            return ["event", RestateRequest.event, "key", owner, "data", request.data]
        }
        let unreadable = [["event", RestateRequest.event, "key", "eu-west", "data", #"{"tenants":7}"#]]
        let request = try #require(try news(requests + unreadable).request)
        #expect(request.entry == EntryID(first: 2, second: 0))
        #expect(request.tenants == ["8": EntryID(first: 5, second: 0)])
        #expect(try news([Self.rejoined]).request == nil)
    }

    @Test("the last probe for this region says whether its region captures, with or without counts")
    func capture() throws {
        func probe(_ peer: String, _ further: String...) -> [String] { ["event", "probe", "key", peer] + further }
        let first = probe("eu-west", "voice", "5", "provisioning", "4", "captured", "100")
        let captures = try news([first, probe("ap-south", "captured", "70")]).capture
        #expect(captures?.entry == EntryID(first: 1, second: 0) && captures?.captured == Position(number: 100))
        for stopped in [probe("eu-west"), probe("eu-west", "captured", "-1")] {
            let capture = try news([first, stopped]).capture
            #expect(capture?.entry == EntryID(first: 2, second: 0) && capture?.captured == nil)
        }
        let none = try news([probe("ap-south", "captured", "70"), ["captured", "100", "key", "eu-west"]])
        #expect(none.capture?.entry == nil)
    }

    @Test("probes for others and entries that cannot be read say nothing")
    func nothing() throws {
        let probes = [("eu-west", 5), ("ap-south", 70)].map { peer, voice in
            ["event", "probe", "key", peer, "voice", "\(voice)", "provisioning", "4"]
        }
        let unreadable = [["event", RegionDown.event, "key", "ap-south", "data", "{"], ["whatever", "x"]]
        let news = try news(probes + unreadable)
        #expect(news.words.isEmpty)
        #expect(news.heard?.entry == EntryID(first: 1, second: 0) && news.heard?.heartbeat.voice == 5)
    }
}
