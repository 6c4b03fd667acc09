import Foundation
import Journal
import RESP
import RedisClient
import Testing
import Traffic
import Verification
import VoiceEvents

@Suite("Verify: journals against their copies and the producers' ledger, on real servers", .serialized)
struct JournalVerificationTests {
    private static let journal = "rs:{101}:voice:east"

    /// Entry `number` of the journal, from 1; `id` where another is wanted.
    private static func add(_ number: Int, id: Int? = nil) -> [String] {
        let event = event(number)
        return ["XADD", journal, "\(1_000 + (id ?? number))-0"] + event.fields
    }

    private static func event(_ number: Int) -> (fields: [String], identity: EventIdentity, digest: UInt64) {
        let data = #"{"ServerStartTime":1763800000000000,"EventSequenceNumber":\#(number),"ThisDN":"7001"}"#
        let words = ["EventRinging", "008f0000000\(number)", data]
        let digest = PayloadDigest.voice(
            event: Array(words[0].utf8).span, key: Array(words[1].utf8).span, data: Array(words[2].utf8).span)
        return (
            ["event", words[0], "key", words[1], "data", words[2]],
            EventIdentity(startTime: 1_763_800_000_000_000, sequence: Int64(number)), digest
        )
    }

    /// Both regions hold entries 1 to 1,500 of the journal.
    private static func fill(_ regions: TwoRegions) async throws {
        for index in 0...1 {
            try await regions.redis(index, ["DEL", journal, "\(journal):meta"])
            for start in stride(from: 1, through: 1_500, by: 500) {
                for reply in await regions.clients[index].pipeline(
                    (start..<start + 500).map { .init(words: add($0), runs: []) })
                {
                    _ = try reply.get()
                }
            }
        }
    }

    /// Deletes entries from `first` on in west's copy and appends others.
    private static func rewrite(_ regions: TwoRegions, from first: Int, _ entries: [[String]]) async throws {
        let ids = (first...1_500).map { "\(1_000 + $0)-0" }
        try await regions.redis(1, ["XDEL", journal] + ids)
        // Redis lets nobody go back behind the last ID otherwise.
        try await regions.redis(1, ["XSETID", journal, "\(1_000 + first - 1)-0"])
        for entry in entries { try await regions.redis(1, entry) }
    }

    private static func ledger(in regions: TwoRegions) throws -> String {
        let folder = regions.folder.appending(path: "ledger")
        try? FileManager.default.removeItem(at: folder)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var writer = try LedgerWriter(path: folder.appending(path: "voice.ledger").path)
        for number in 1...1_500 {
            let event = event(number)
            try writer.acknowledged(
                event.identity, in: journal, as: EntryID(first: UInt64(1_000 + number), second: 0), digest: event.digest
            )
        }
        try writer.close()
        return folder.path
    }

    @Test("equal copies are equal, also where one side was trimmed")
    func equal() async throws {
        try await TwoRegions.run { regions in
            try await Self.fill(regions)
            let ledger = try Self.ledger(in: regions)
            var report = try await regions.verify(ledger: ledger)
            #expect(report.ok, "\(report.text)")
            #expect(report.journals.map(\.entries) == [1_500])
            #expect((report.events?.produced, report.events?.mirrored) == (1_500, 1_500))

            try await regions.redis(
                0, ["XTRIM", Self.journal, "MINID", "1101-0"], ["HSET", "\(Self.journal):meta", "floor", "1100-0"])
            report = try await regions.verify(ledger: ledger)
            #expect(!report.ok)
            #expect(report.text.contains("100 gone by retention"))
            report = try await regions.verify(ledger: ledger, allowsTrimmed: true)
            #expect(report.ok, "\(report.text)")
            #expect(report.journals.map(\.equal) == [1_400])
            #expect((report.events?.trimmed, report.events?.mirrored) == (100, 1_400))
        }
    }

    @Test("what left a journal before the copy had it is a difference, unless that is allowed")
    func lost() async throws {
        try await TwoRegions.run { regions in
            try await Self.fill(regions)
            try await regions.redis(0, ["HSET", "\(Self.journal):meta", "missed:west", "50"])
            var report = try await regions.verify()
            #expect(!report.ok)
            #expect(report.journals.map(\.lost) == [50])
            #expect(report.text.contains("50 gone before they arrived"))
            report = try await regions.verify(allowsTrimmed: true)
            #expect(report.ok, "\(report.text)")
        }
    }

    @Test("an event counts as mirrored where it is whole in every region, not where each lacks another")
    func mirrored() async throws {
        try await TwoRegions.run { regions in
            try await Self.fill(regions)
            try await regions.redis(0, ["XDEL", Self.journal, "1007-0"])
            try await regions.redis(1, ["XDEL", Self.journal, "1008-0"])
            let report = try await regions.verify(ledger: try Self.ledger(in: regions))
            #expect((report.events?.lost, report.events?.mirrored) == (2, 1_498))
        }
    }

    @Test("journals of a tenant that no region knows are compared as well")
    func unknownTenant() async throws {
        try await TwoRegions.run { regions in
            try await regions.redis(0, ["XADD", "rs:{777}:voice:east", "5-0", "event", "e"])
            try await regions.redis(1, ["XADD", "rs:{778}:voice:east", "5-0", "event", "e"])
            let report = try await regions.verify()
            #expect(!report.ok)
            #expect(report.journals.map(\.journal) == ["rs:{777}:voice:east", "rs:{778}:voice:east"])
            #expect(report.journals.map { [$0.missing + $0.behind, $0.invented] } == [[1, 0], [0, 1]])
        }
    }

    @Test("a region whose peer is not given is refused: none of its journals would be compared")
    func peerNotGiven() async throws {
        try await TwoRegions.run { regions in
            let error = VerificationError.peersNotGiven(region: "east", peers: ["west"])
            await #expect(throws: error) { try await Verifier(regions: [regions.regions[0]], wait: .zero).run() }
            #expect("\(error)".contains("--region"))
        }
    }

    private struct Fault {
        let first: Int
        let entries: [[String]]
        /// missing, behind, reordered, duplicated, altered, invented
        let copy: [Int]
        /// lost, duplicated, reordered, altered, invented
        let events: [Int]
    }

    @Test("each fault of a copy is told from the others, and by the ledger")
    func faults() async throws {
        let last = 1_500
        let faults = [
            Fault(
                first: 1_490, entries: (1_491...last).map { Self.add($0) }, copy: [1, 0, 0, 0, 0, 0],
                events: [1, 0, 0, 0, 0]),
            Fault(first: 1_499, entries: [], copy: [0, 2, 0, 0, 0, 0], events: [2, 0, 0, 0, 0]),
            Fault(
                first: 1_499, entries: [Self.add(last, id: 1_499), Self.add(1_499, id: last)],
                copy: [0, 0, 2, 0, 0, 0], events: [0, 0, 2, 0, 0]),
            Fault(
                first: last, entries: [Self.add(last), Self.add(17, id: last + 1)], copy: [0, 0, 0, 1, 0, 0],
                events: [0, 1, 0, 0, 0]),
            Fault(
                first: last,
                entries: [Array(Self.add(last).dropLast()) + [Self.event(last).fields[5] + " "]],
                copy: [0, 0, 0, 0, 1, 0], events: [0, 0, 0, 1, 0]),
            Fault(
                first: last, entries: [Self.add(last), Self.add(last + 1)], copy: [0, 0, 0, 0, 0, 1],
                events: [0, 0, 0, 0, 1]),
        ]
        try await TwoRegions.run { regions in
            let ledger = try Self.ledger(in: regions)
            for fault in faults {
                try await Self.fill(regions)
                try await Self.rewrite(regions, from: fault.first, fault.entries)
                let report = try await regions.verify(ledger: ledger)
                #expect(!report.ok)
                let copy = try #require(report.journals.first)
                #expect(copy.region == "west")
                #expect(
                    [copy.missing, copy.behind, copy.reordered, copy.duplicated, copy.altered, copy.invented]
                        == fault.copy, "\(report.text)")
                let events = try #require(report.events)
                #expect(
                    [events.lost, events.duplicated, events.reordered, events.altered, events.invented]
                        == fault.events, "\(report.text)")
            }
        }
    }

    @Test("a tail that is under way is waited for")
    func tail() async throws {
        try await TwoRegions.run { regions in
            try await Self.fill(regions)
            try await Self.rewrite(regions, from: 1_000, [])
            async let late: Void = {
                try await Task.sleep(for: .milliseconds(700))
                for number in 1_000...1_500 { try await regions.redis(1, Self.add(number)) }
            }()
            let report = try await regions.verify(wait: .seconds(60))
            try await late
            #expect(report.ok, "\(report.text)")
        }
    }

    @Test("transactions and objects of the ledger: those in a snapshot, in the journal, lost, twice, altered")
    func provisioning() async throws {
        try await TwoRegions.run { regions in
            let journal = "rs:{_}:provisioning:east"
            func commit(_ id: String, _ xid: Int) -> [String] {
                ["XADD", journal, id, "op", "commit", "count", "1", "end", "1", "xid", "\(xid)", "time", "1"]
            }
            let folder = regions.folder.appending(path: "ledger")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            var writer = try LedgerWriter(path: folder.appending(path: "provisioning.ledger").path)
            let digest = PayloadDigest.object(
                [("tenant", "101"), ("left_id", "3"), ("right_id", "a,b3")] as [(String, String?)])
            for number in 1...5 {
                let object = TouchedObject(
                    ObjectKey(tenant: "101", type: "bond", key: #"3,a\,b3"#), digest: digest)
                try writer.committed(
                    ProducedTransaction(number: Int64(number), xid: UInt32(700 + number), touched: [object]))
            }
            try writer.close()
            for index in 0...1 {
                try await regions.redis(
                    index, ["XADD", journal, "10-9", "op", "end-snapshot"], commit("11-2", 703), commit("12-2", 704),
                    commit("13-2", 999), commit("14-2", 705))
                // The caches of this test were not projected from the journal; say that they are that far.
                try await regions.redis(index, ["HSET", "rs:{_}:projection", "provisioning", "99"])
            }
            var report = try await regions.verify(ledger: folder.path)
            #expect(report.ok, "\(report.text)")
            #expect(report.provisioning.transactions == 5)

            // What stands above the floor says that the journal was trimmed, and of what nothing is known.
            try await regions.redis(0, ["XDEL", journal, "10-9"], ["HSET", "\(journal):meta", "floor", "10-9"])
            report = try await regions.verify(ledger: folder.path)
            #expect(!report.ok)
            #expect((report.provisioning.transactions, report.provisioning.transactionsTrimmed) == (3, 2))
            #expect(report.provisioning.transactionsLost == 0)
            report = try await regions.verify(ledger: folder.path, allowsTrimmed: true)
            #expect(report.ok, "\(report.text)")
            // A floor above everything forgives nothing.
            try await regions.redis(0, ["HSET", "\(journal):meta", "floor", "14-2"])
            report = try await regions.verify(ledger: folder.path, allowsTrimmed: true)
            #expect((report.provisioning.transactionsLost, report.provisioning.transactionsTrimmed) == (2, 0))
            try await regions.redis(0, ["DEL", journal, "\(journal):meta"])
            try await regions.redis(
                0, ["XADD", journal, "10-9", "op", "end-snapshot"], commit("11-2", 703), commit("12-2", 704),
                commit("13-2", 999), commit("14-2", 705))

            try await regions.redis(1, ["XDEL", journal, "12-2"], commit("15-2", 705))
            try await regions.redis(1, ["HSET", "cfg:{101}:bond:3,a\\,b3", "right_id", "x"])
            report = try await regions.verify(ledger: folder.path)
            #expect((report.provisioning.transactionsLost, report.provisioning.transactionsDuplicated) == (1, 1))
            #expect(report.provisioning.regions.map(\.ledgerDrift) == [0, 1])
            #expect(!report.ok)
            let copy = try #require(report.journals.first)
            #expect((copy.missing, copy.duplicated + copy.invented) == (1, 1), "\(report.text)")
        }
    }
}
