import Foundation
import Testing
import Verification

@Suite("Journals: what is in a region's Redis")
struct JournalListingTests {
    @Test("own journals, copies and closed copies, each with where it stands; other keys are none")
    func listing() async throws {
        try await TwoRegions.run { regions in
            let own = "rs:{_}:provisioning:east"
            let copy = "rs:{101}:voice:west"
            try await regions.redis(
                0, ["XADD", own, "5-1", "a", "b"], ["XADD", own, "5-2", "a", "b"],
                ["HSET", "\(own):meta", "birth", "b1", "floor", "4-0", "position", "77"],
                ["XADD", copy, "7-0", "a", "b"], ["HSET", "\(copy):meta", "birth", "b2"],
                ["RENAME", copy, "\(copy):closed:1"], ["RENAME", "\(copy):meta", "\(copy):closed:1:meta"],
                ["XADD", copy, "8-0", "a", "b"], ["XADD", "rs:foreign", "1-1", "a", "b"])
            let server = try await RegionServer.connect(regions.regions[0])
            defer { server.close() }
            let listing = try await JournalListing(of: server)
            #expect(listing.journals.map(\.key) == [copy, "\(copy):closed:1", own])
            #expect(listing.journals.map(\.own) == [false, false, true])
            #expect(listing.journals.map(\.closed) == [false, true, false])
            let closed = listing.journals[1]
            #expect((closed.entries, closed.last, closed.birth) == (1, "7-0", "b2"))
            let first = listing.journals[2]
            #expect((first.entries, first.first, first.last) == (2, "5-1", "5-2"))
            #expect((first.birth, first.floor, first.position) == ("b1", "4-0", "77"))
            #expect((first.bytes ?? 0) > 0)
            #expect(listing.text.hasPrefix("JOURNAL "))
            #expect(listing.text.contains("copy, closed"))
        }
    }

    @Test("of a region declared down: where its journals are cut and what is withheld; once it has rejoined, what was")
    func withheld() async throws {
        try await TwoRegions.run { regions in
            let (down, rejoined) = ("rs:{101}:voice:west", "rs:{102}:voice:west")
            let own = "rs:{101}:voice:east"
            try await regions.redis(
                0, ["XADD", down, "7-0", "a", "b"], ["XADD", down, "8-0", "a", "b"], ["XADD", down, "9-0", "a", "b"],
                ["HSET", "\(down):meta", "birth", "b1", "last", "9-0", "count", "13"],
                ["HSET", "rs:{101}:projection", "cut:voice:west", "7-0 11"],
                ["XADD", "\(down):closed:1", "3-0", "a", "b"], ["XADD", own, "7-0", "a", "b"],
                ["XADD", rejoined, "9-0", "a", "b"],
                ["HSET", "\(rejoined):meta", "birth", "b2", "last", "9-0", "count", "20"],
                ["HSET", "rs:{102}:projection", "tail:voice:west", "5-0 4 9-0"])
            let server = try await RegionServer.connect(regions.regions[0])
            defer { server.close() }
            let listing = try await JournalListing(of: server)
            let found = listing.journals.map { "\($0.key) \($0.cut ?? "-") \($0.withheld.map(String.init) ?? "-")" }
            #expect(
                Set(found) == ["\(down) 7-0 2", "\(rejoined) 5-0 4", "\(own) - -", "\(down):closed:1 - -"])
            #expect(listing.text.contains("WITHHELD"))
            let json = try JSONEncoder().encode(listing.journals.first { $0.key == down })
            let object = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
            #expect(object["cut"] as? String == "7-0")
            #expect(object["withheld"] as? Int == 2)
        }
    }
}
