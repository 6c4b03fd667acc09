import Capture
import Journal
import PGOutput
import Testing

@Suite("Capture start: who stopped uncleanly asks first")
struct CaptureStandingTests {
    @Test("a region that stopped uncleanly waits, until a peer or an operator has been heard")
    func stoppedUncleanly() {
        func found(_ standing: CaptureStanding, _ change: (inout CaptureFound) -> Void = { _ in }) -> CaptureFound {
            CaptureStartTests.with {
                $0.standing = standing
                change(&$0)
            }
        }
        let waits = CaptureStart.wait(.peer(.stoppedUncleanly(history: 3)))
        #expect(CaptureStart(found(.unclean(history: 3))) == waits)
        #expect(CaptureStart(found(.clean)) == .resume(at: LSN(100)))
        #expect(CaptureStart(found(.confirmed)) == .resume(at: LSN(100)))
        #expect(CaptureStart(found(.unclean(history: 3)) { $0.isVouchedFor = true }) == .resume(at: LSN(100)))
        // Nothing is done for the role, be it a new history, a publication or a slot.
        #expect(CaptureStart(found(.unclean(history: 3)) { $0.timeline = 2 }) == waits)
        #expect(CaptureStart(found(.unclean(history: 3)) { $0.history = nil }) == waits)
        #expect(CaptureStart(found(.unclean(history: 3)) { $0.publication = nil }) == waits)
        #expect(CaptureStart(found(.unclean(history: 3)) { $0.slot = nil }) == waits)
        // A note that nobody can read is none that vouches.
        #expect(
            CaptureStart(found(.unclean(history: .max))) == .wait(.peer(.stoppedUncleanly(history: .max))))
    }

    @Test("a row that an operator made since for this region is a word of his; our own was noted before it was made")
    func rowMadeSince() {
        let promoted = CaptureStartTests.with {
            $0.standing = .unclean(history: 2)
            $0.knownHistory = 2
        }
        #expect(CaptureStart(promoted) == .resume(at: LSN(100)))
        let begun = CaptureStartTests.with {
            $0.timeline = 2
            $0.standing = .clean
        }
        #expect(CaptureStart(begun) == .beginHistory(number: 4, after: 3))
        let killedBehindIt = CaptureStartTests.with {
            $0.timeline = 2
            $0.history = .init(number: 4, systemID: "71", timeline: 2, captureRegion: "us-east")
            $0.standing = .unclean(history: 4)
        }
        #expect(CaptureStart(killedBehindIt) == .wait(.peer(.stoppedUncleanly(history: 4))))
    }

    @Test("who has no role, or may not have it, waits for no peer")
    func noRoleToDoubt() {
        let other = CaptureStartTests.with {
            $0.standing = .unclean(history: 3)
            $0.history = .init(number: 3, systemID: "71", timeline: 1, captureRegion: "eu-west")
        }
        #expect(CaptureStart(other) == .wait(.otherRegion("eu-west")))
        let former = CaptureStartTests.with {
            $0.standing = .unclean(history: 3)
            $0.knownHistory = 4
            $0.isVouchedFor = true
        }
        #expect(CaptureStart(former) == .stop(.formerPrimary(known: 4, newest: 3)))
    }

    @Test("Redis was emptied, and its note with it: the slot tells; a region where nothing ever was waits for nobody")
    func noteLost() {
        let emptied = CaptureStartTests.with {
            $0.standing = .clean
            $0.journal = JournalState(birth: "c", last: .zero, position: nil)
        }
        #expect(CaptureStart(emptied) == .wait(.peer(.redisEmptied)))
        var vouched = emptied
        vouched.isVouchedFor = true
        #expect(CaptureStart(vouched) == .snapshot(dropsSlot: true, mode: .diff(.journalEmpty(slot: "slot"))))
        // A survivor that takes over finds the old slot on a server that both share.
        var survivor = emptied
        survivor.knownHistory = 2
        #expect(CaptureStart(survivor) == .snapshot(dropsSlot: true, mode: .diff(.journalEmpty(slot: "slot"))))
        var first = CaptureStartTests.neverStarted
        first.standing = .clean
        first.history = nil
        #expect(CaptureStart(first) == .beginHistory(number: 1, after: 0))
    }
}
