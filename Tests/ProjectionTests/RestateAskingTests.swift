import Journal
import Projection
import Testing

@Suite("Asking to restate")
struct RestateAskingTests {
    private func lacking(_ tenants: String..., origin: String = "us-east") -> [LackingJournal] {
        tenants.map {
            LackingJournal(
                journal: .voice(tenant: $0, origin: origin), through: EntryID(first: 7, second: 0), isFirst: true)
        }
    }

    /// The tenants of the requests at each second.
    private func asked(_ lacking: [LackingJournal], seconds: ClosedRange<Int>, _ asking: inout RestateAsking) -> [Int] {
        seconds.filter { !asking.due(lacking, at: .seconds($0)).isEmpty }
    }

    @Test("once all that is missing is known; again ever more seldom, and never more than in five minutes")
    func again() {
        var asking = RestateAsking()
        #expect(asking.due(lacking("1"), at: .zero) == [])
        #expect(asking.due(lacking("1", "2"), at: .seconds(1)) == [])
        let requests = asking.due(lacking("1", "2"), at: .seconds(2))
        #expect(requests.map(\.owner) == ["us-east"])
        let gap = EntryID(first: 7, second: 0)
        #expect(requests[0].tenants == ["1": gap, "2": gap])
        let times = asked(lacking("1", "2"), seconds: 3...2000, &asking)
        #expect(times == [12, 32, 72, 152, 312, 612, 912, 1212, 1512, 1812])
    }

    @Test("for what is new, soon; for what is left of an answer, not")
    func news() {
        var asking = RestateAsking()
        #expect(asked(lacking("1", "2"), seconds: 0...4, &asking) == [1])
        // One is answered: the other one still may be.
        #expect(asked(lacking("2"), seconds: 5...10, &asking) == [])
        #expect(asked(lacking("2", "3"), seconds: 11...14, &asking) == [12])
        #expect(asked([], seconds: 15...20, &asking) == [])
        #expect(asked(lacking("2"), seconds: 21...23, &asking) == [22])
    }

    @Test("each region for its own, and not for more than 256 tenants at once")
    func many() {
        var asking = RestateAsking()
        let some = (1000..<1300).flatMap { lacking("\($0)") }
        let all = some + lacking("1", origin: "ap-south")
        #expect(asking.due(all, at: .zero) == [])
        let requests = asking.due(all, at: .seconds(1))
        #expect(requests.map(\.owner) == ["ap-south", "us-east"] && requests.map(\.tenants.count) == [1, 256])
        let rest = Array(some.dropFirst(256))
        #expect(asking.due(rest, at: .seconds(2)) == [])
        #expect(asking.due(rest, at: .seconds(6)).map(\.tenants.count) == [44])
    }

    @Test("a request is kept as it came, and what is none is none")
    func notes() {
        let request = RestateRequest(
            owner: "us-east", tenants: ["7": EntryID(first: 3, second: 4), "8": .zero],
            entry: EntryID(first: 9, second: 1))
        #expect(RestateRequest(note: request.note, owner: "us-east") == request)
        for note in ["", "9-1", "x {}", "9-1 {", #"9-1 {"tenants":{"7":"x"}}"#, #"9-1 {"tenants":[]}"#] {
            #expect(RestateRequest(note: note, owner: "us-east") == nil)
        }
    }

    @Test("regions of which nothing was heard are awaited for a while, each time that is so")
    func awaited() {
        var peers = AwaitedPeers()
        #expect(peers.looked(unknown: ["a": 3, "b": 0], of: 3, at: .zero) == ["a"])
        #expect(peers.looked(unknown: ["a": 1, "b": 0], of: 3, at: .seconds(5)) == ["a"])
        #expect(peers.looked(unknown: ["a": 0, "b": 1], of: 3, at: .seconds(6)) == [])
        #expect(peers.looked(unknown: ["a": 3, "b": 3], of: 3, at: .seconds(7)) == ["a", "b"])
        #expect(peers.looked(unknown: ["a": 3], of: 3, at: .seconds(16)) == ["a"])
        #expect(peers.looked(unknown: ["a": 3, "b": 3], of: 3, at: .seconds(17)) == ["b"])
        // Some were heard of at last: then nothing is awaited any more, until nothing is known again.
        #expect(peers.looked(unknown: ["a": 1, "b": 3], of: 3, at: .seconds(30)) == [])
        #expect(peers.looked(unknown: ["a": 3, "b": 3], of: 3, at: .seconds(31)) == ["a"])
        // A tenant that is new is not waited for, unless all begins anew.
        peers = AwaitedPeers()
        #expect(peers.looked(unknown: ["a": 1], of: 3, at: .zero) == [])
        #expect(peers.looked(unknown: ["a": 1], of: 3, anew: true, at: .seconds(1)) == ["a"])
        #expect(peers.looked(unknown: ["a": 1], of: 3, at: .seconds(2)) == ["a"])
    }
}
