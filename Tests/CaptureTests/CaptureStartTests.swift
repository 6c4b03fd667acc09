import Capture
import Journal
import PGOutput
import RegionConfig
import Testing

@Suite("Capture start: what is found decides")
struct CaptureStartTests {
    private static let person = TableName(schema: "provisioning", name: "person")

    /// A healthy server, our region's turn, a journal that ends at 100 and a slot confirmed up to 90.
    static let healthy = CaptureFound(
        region: "us-east", publicationName: "pub", slotName: "slot", isInRecovery: false, walLevel: "logical",
        systemID: "71", timeline: 1, database: "db", flushed: LSN(200), hasHistoryTable: true,
        history: .init(number: 3, systemID: "71", timeline: 1, captureRegion: "us-east"),
        tables: [
            .init(
                name: person, required: ["tenant_dbid", "dbid"], columns: ["tenant_dbid", "dbid", "name"],
                identity: ["tenant_dbid", "dbid"])
        ],
        publication: .init(publishes: ["insert", "update", "delete", "truncate"], tables: [person]),
        slot: .init(plugin: "pgoutput", database: "db", confirmed: LSN(90)),
        journal: JournalState(
            birth: "b", last: EntryID(first: 3 << 52 | 95, second: 4), position: Position(history: 3, lsn: 100)))

    static let neverStarted = with {
        $0.slot = nil
        $0.publication = nil
        $0.journal = JournalState(birth: "b", last: .zero, position: nil)
    }

    static func with(_ change: (inout CaptureFound) -> Void) -> CaptureFound {
        var found = healthy
        change(&found)
        return found
    }

    private static func with(
        columns: Set<String>?, identity: Set<String> = ["tenant_dbid", "dbid"]
    ) -> CaptureFound {
        with {
            $0.tables = [
                .init(name: person, required: ["tenant_dbid", "dbid"], columns: columns, identity: identity)
            ]
        }
    }

    @Test("confirmed ≤ ours ≤ flushed: resume at ours")
    func resumes() {
        #expect(CaptureStart(Self.healthy) == .resume(at: LSN(100)))
        #expect(CaptureStart(Self.with { $0.slot?.confirmed = LSN(100) }) == .resume(at: LSN(100)))
        #expect(CaptureStart(Self.with { $0.flushed = LSN(100) }) == .resume(at: LSN(100)))
    }

    @Test("nothing there: publication first, then slot and snapshot")
    func firstStart() {
        #expect(CaptureStart(Self.neverStarted) == .createPublication)
        var found = Self.neverStarted
        found.publication = Self.healthy.publication
        #expect(CaptureStart(found) == .snapshot(dropsSlot: false, mode: .diff(.newHistory(3))))
        found.history = .init(number: 1, systemID: "71", timeline: 1, captureRegion: "us-east")
        #expect(CaptureStart(found) == .snapshot(dropsSlot: false, mode: .full))
    }

    @Test("a first snapshot that was cut off begins again, with a new slot")
    func brokenSnapshot() {
        var found = Self.healthy
        found.journal = JournalState(birth: "b", last: EntryID(first: 3 << 52 | 80, second: 9), position: nil)
        #expect(CaptureStart(found) == .snapshot(dropsSlot: true, mode: .diff(.cutOff)))
        found.slot = nil
        #expect(CaptureStart(found) == .snapshot(dropsSlot: false, mode: .diff(.cutOff)))
    }

    @Test("no history: this region begins it; none to begin without its table")
    func history() {
        var found = Self.neverStarted
        found.history = nil
        #expect(CaptureStart(found) == .beginHistory(number: 1, after: 0))
        #expect(CaptureStart(Self.with { $0.hasHistoryTable = false }) == .stop(.schemaMissing))
    }

    @Test("another region captures, or the server is a standby: wait")
    func waits() {
        let other = Self.with {
            $0.history = .init(number: 3, systemID: "71", timeline: 1, captureRegion: "eu-west")
        }
        #expect(CaptureStart(other) == .wait(.otherRegion("eu-west")))
        #expect(CaptureStart(Self.with { $0.isInRecovery = true }) == .wait(.inRecovery))
    }

    @Test("a slot in use: wait as standby")
    func busy() {
        let found = Self.with {
            $0.slot?.isActive = true
            $0.slot?.activePID = 77
        }
        #expect(CaptureStart(found) == .wait(.slotBusy(pid: 77)))
    }

    @Test("a new timeline or system begins the next history")
    func otherServer() {
        #expect(CaptureStart(Self.with { $0.timeline = 2 }) == .beginHistory(number: 4, after: 3))
        #expect(CaptureStart(Self.with { $0.systemID = "72" }) == .beginHistory(number: 4, after: 3))
        #expect(
            CaptureStart(
                Self.with {
                    $0.timeline = 2
                    $0.history = .init(number: 3, systemID: "71", timeline: 1, captureRegion: "eu-west")
                }) == .wait(.otherRegion("eu-west")))
    }

    @Test("a server that forgot histories we journaled in begins one above them: positions rise")
    func forgottenHistory() {
        let forgot = Self.with {
            $0.history = .init(number: 1, systemID: "71", timeline: 1, captureRegion: "us-east")
        }
        #expect(CaptureStart(forgot) == .beginHistory(number: 4, after: 1))
        #expect(CaptureStart(Self.with { $0.history = nil }) == .beginHistory(number: 4, after: 0))
        // A snapshot that was cut off has left entries of history 3 and no position.
        let cutOff = Self.with {
            $0.history = .init(number: 2, systemID: "71", timeline: 1, captureRegion: "us-east")
            $0.journal = JournalState(birth: "b", last: EntryID(first: 3 << 52 | 80, second: 9), position: nil)
        }
        #expect(CaptureStart(cutOff) == .beginHistory(number: 4, after: 2))
    }

    @Test("a server that another region's history has left behind is a former primary: nothing is captured from it")
    func formerPrimary() {
        let found = Self.with { $0.knownHistory = 4 }
        #expect(CaptureStart(found) == .stop(.formerPrimary(known: 4, newest: 3)))
        #expect(CaptureStart(Self.with { $0.knownHistory = 3 }) == .resume(at: LSN(100)))
        let emptied = Self.with {
            $0.knownHistory = 4
            $0.history = nil
        }
        #expect(CaptureStart(emptied) == .stop(.formerPrimary(known: 4, newest: 0)))
        // What this region journaled itself was known to a server that was restored since.
        let restored = Self.with {
            $0.history = .init(number: 1, systemID: "71", timeline: 1, captureRegion: "us-east")
            $0.knownHistory = 3
        }
        #expect(CaptureStart(restored) == .beginHistory(number: 4, after: 1))
    }

    @Test("histories that are used up stop")
    func lastHistory() {
        let found = Self.with {
            $0.timeline = 2
            $0.history = .init(number: 4095, systemID: "71", timeline: 1, captureRegion: "us-east")
        }
        #expect(CaptureStart(found) == .stop(.positionOverflow(history: 4095)))
    }

    @Test("a journal of an older history: a new slot, and what differs")
    func olderHistory() {
        func found(_ change: (inout CaptureFound) -> Void) -> CaptureFound {
            var found = Self.healthy
            found.history = .init(number: 4, systemID: "71", timeline: 1, captureRegion: "us-east")
            change(&found)
            return found
        }
        #expect(CaptureStart(found { _ in }) == .snapshot(dropsSlot: true, mode: .diff(.newHistory(4))))
        #expect(CaptureStart(found { $0.slot = nil }) == .snapshot(dropsSlot: false, mode: .diff(.newHistory(4))))
        #expect(
            CaptureStart(found { $0.slot?.lostCause = "wal_removed" })
                == .snapshot(dropsSlot: true, mode: .diff(.newHistory(4))))
        #expect(CaptureStart(found { $0.slot?.isActive = true }) == .wait(.slotBusy(pid: nil)))
        #expect(
            CaptureStart(found { $0.slot?.plugin = "test_decoding" })
                == .stop(.slotForeign("slot", found: "plugin test_decoding, database db")))
    }

    @Test("ours < confirmed, Redis went back: a new slot and what differs")
    func behind() {
        let found = Self.with { $0.slot?.confirmed = LSN(101) }
        #expect(
            CaptureStart(found)
                == .snapshot(dropsSlot: true, mode: .diff(.journalBehind(ours: LSN(100), confirmed: LSN(101)))))
    }

    @Test("ours, or an entry, > flushed, PostgreSQL went back: the next history stands behind it")
    func ahead() {
        #expect(CaptureStart(Self.with { $0.flushed = LSN(99) }) == .beginHistory(number: 4, after: 3))
        #expect(
            CaptureStart(
                Self.with {
                    $0.flushed = LSN(99)
                    $0.slot = nil
                }) == .beginHistory(number: 4, after: 3))
        let entry = EntryID(first: 3 << 52 | 300, second: 1)
        for position in [Position(history: 3, lsn: 100), nil] {
            #expect(
                CaptureStart(Self.with { $0.journal = JournalState(birth: "b", last: entry, position: position) })
                    == .beginHistory(number: 4, after: 3))
        }
    }

    @Test("an empty journal beside a used slot: a new slot and what differs")
    func emptied() {
        let found = Self.with { $0.journal = JournalState(birth: "c", last: .zero, position: nil) }
        #expect(
            CaptureStart(found) == .snapshot(dropsSlot: true, mode: .diff(.journalEmpty(slot: "slot"))))
    }

    @Test("slot gone or lost: a new slot and what differs; one that is not ours stops")
    func slots() {
        #expect(
            CaptureStart(Self.with { $0.slot = nil })
                == .snapshot(dropsSlot: false, mode: .diff(.slotMissing("slot"))))
        #expect(
            CaptureStart(Self.with { $0.slot?.lostCause = "wal_removed" })
                == .snapshot(dropsSlot: true, mode: .diff(.slotLost("slot", cause: "wal_removed"))))
        #expect(
            CaptureStart(Self.with { $0.slot?.plugin = "test_decoding" })
                == .stop(.slotForeign("slot", found: "plugin test_decoding, database db")))
        #expect(
            CaptureStart(Self.with { $0.slot?.database = "other" })
                == .stop(.slotForeign("slot", found: "plugin pgoutput, database other")))
    }

    @Test("publication gone behind its slot, incomplete, partial")
    func publications() {
        #expect(CaptureStart(Self.with { $0.publication = nil }) == .stop(.publicationMissing("pub")))
        #expect(
            CaptureStart(Self.with { $0.publication = .init(publishes: ["insert"], tables: []) })
                == .stop(.publicationIncomplete("pub", tables: [Self.person])))
        #expect(
            CaptureStart(
                Self.with { $0.publication = .init(publishes: ["insert", "update"], tables: [Self.person]) })
                == .stop(.publicationPartial("pub", missing: ["delete", "truncate"])))
    }

    @Test("tables: missing, without naming column, without usable replica identity")
    func tables() {
        #expect(CaptureStart(Self.with(columns: nil)) == .stop(.tableMissing(Self.person)))
        #expect(
            CaptureStart(Self.with(columns: ["dbid"]))
                == .stop(.columnMissing(Self.person, column: "tenant_dbid")))
        #expect(
            CaptureStart(Self.with(columns: ["tenant_dbid", "dbid"], identity: ["dbid"]))
                == .stop(.replicaIdentity(Self.person, columns: ["tenant_dbid"])))
        #expect(CaptureStart(Self.with { $0.walLevel = "replica" }) == .stop(.walLevel("replica")))
    }

    @Test("every stop has a name of its own, a reason and advice")
    func stopsAreNamed() {
        let stops: [CaptureStop] = [
            .schemaMissing, .walLevel("x"), .tableMissing(Self.person), .publicationMissing("p"),
            .undecodable(lsn: .zero, what: "w"), .journalForked,
            .journalFenced, .positionOverflow(history: 1), .formerPrimary(known: 2, newest: 1),
        ]
        #expect(Set(stops.map(\.name)).count == stops.count)
        for stop in stops { #expect(!stop.reason.isEmpty && !stop.advice.isEmpty) }
    }
}
