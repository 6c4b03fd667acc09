import Journal
import Mirror
import Testing

/// `batch(3, 5)` holds entries 4 and 5, ten bytes each.
private func batch(_ previous: UInt64, _ last: UInt64) -> MirrorMachine.Batch {
    .init(previous: id(previous), last: id(last), byteCount: Int(last - previous) * 10)
}

private func id(_ number: UInt64) -> EntryID { EntryID(first: number, second: 0) }

@Suite("Mirror machine: one journal to one peer")
struct MirrorMachineTests {
    /// A machine whose copy ends at entry `cursor` and which waits for its first read.
    private func streaming(at cursor: UInt64, windowBytes: Int = 100) -> MirrorMachine {
        var machine = MirrorMachine(windowBytes: windowBytes)
        #expect(machine.nextAction() == .align(attempt: 0))
        machine.aligned(at: id(cursor))
        #expect(machine.nextAction() == .read(after: id(cursor)))
        return machine
    }

    @Test("the target's cursor is asked for before anything is read")
    func alignsFirst() {
        var machine = MirrorMachine(windowBytes: 100)
        #expect(machine.nextAction() == .align(attempt: 0))
        #expect(machine.nextAction() == nil)
        machine.aligned(at: id(7))
        #expect(machine.nextAction() == .read(after: id(7)))
        #expect(machine.nextAction() == nil)
    }

    @Test("reading goes on while batches are in flight, until the window is full")
    func fillsTheWindow() {
        var machine = streaming(at: 0, windowBytes: 40)
        machine.sourceRead(batch(0, 2))
        #expect(machine.nextAction() == .append(batch(0, 2)))
        #expect(machine.nextAction() == .read(after: id(2)))
        machine.sourceRead(batch(2, 4))
        #expect(machine.nextAction() == .append(batch(2, 4)))
        #expect(machine.nextAction() == nil)  // 40 bytes are out
        machine.appended(batch(0, 2))
        #expect(machine.acknowledged == id(2))
        #expect(machine.nextAction() == .read(after: id(4)))
    }

    @Test("one refusal: the window runs dry, then the target's own cursor decides")
    func realignsAfterRefusal() {
        var machine = streaming(at: 0)
        for next in [batch(0, 2), batch(2, 4), batch(4, 6)] {
            machine.sourceRead(next)
            #expect(machine.nextAction() == .append(next))
            #expect(machine.nextAction() == .read(after: next.last))
        }
        machine.appended(batch(0, 2))
        machine.refused(batch(2, 4), .unavailable("READONLY"))
        #expect(machine.nextAction() == nil)  // one answer is still owed
        machine.refused(batch(4, 6), .cursor(last: id(2)))
        #expect(machine.nextAction() == .align(attempt: 1))
        machine.aligned(at: id(2))
        #expect(machine.nextAction() == .read(after: id(2)))
    }

    @Test("an answer to a read from before the realignment is dropped")
    func dropsStaleRead() {
        var machine = streaming(at: 0)
        machine.linkLost()
        #expect(machine.nextAction() == .align(attempt: 0))
        machine.aligned(at: id(5))
        #expect(machine.nextAction() == .read(after: id(5)))
        machine.sourceRead(batch(0, 2))
        #expect(machine.nextAction() == nil)
        machine.sourceRead(batch(5, 6))
        #expect(machine.nextAction() == .append(batch(5, 6)))
    }

    @Test("a refusal on lineage is looked into by aligning again", arguments: [Refusal.fenced, .forked])
    func looksAgain(_ refusal: Refusal) {
        var machine = streaming(at: 0)
        machine.sourceRead(batch(0, 2))
        #expect(machine.nextAction() == .append(batch(0, 2)))
        machine.refused(batch(0, 2), refusal)
        #expect(machine.nextAction() == .align(attempt: 0))
    }

    @Test(
        "a copy that does not continue its journal stops it until somebody looked again",
        arguments: Divergence.allCases)
    func stops(_ divergence: Divergence) {
        var machine = streaming(at: 0)
        machine.linkLost()
        #expect(machine.nextAction() == .align(attempt: 0))
        machine.diverged(divergence)
        #expect(machine.nextAction() == .stop(divergence))
        machine.linkLost()
        machine.sourceChanged()
        #expect(machine.nextAction() == nil)
        #expect(machine.isStopped)
        machine.lookedAgain()
        #expect(machine.nextAction() == .align(attempt: 0))
    }

    /// Three batches are out, the first is refused for good, then the link is cut: nobody answers for the others.
    @Test("a link that is lost while a journal is stopped takes what was in flight with it")
    func forgetsFlight() {
        var machine = streaming(at: 0, windowBytes: 60)
        for next in [batch(0, 2), batch(2, 4), batch(4, 6)] {
            machine.sourceRead(next)
            #expect(machine.nextAction() == .append(next))
            _ = machine.nextAction()
        }
        machine.refused(batch(0, 2), .unexpected("WRONGTYPE"))
        #expect(machine.nextAction() == .stop(.refused))
        machine.linkLost()
        #expect(machine.bytesInFlight == 0)
        machine.lookedAgain()
        #expect(machine.nextAction() == .align(attempt: 0))
        machine.aligned(at: id(0))
        #expect(machine.nextAction() == .read(after: id(0)))
    }

    @Test("a stopped journal is looked at again only when all answers are in")
    func awaitsFlight() {
        var machine = streaming(at: 0)
        for next in [batch(0, 2), batch(2, 4)] {
            machine.sourceRead(next)
            #expect(machine.nextAction() == .append(next))
            _ = machine.nextAction()
        }
        machine.refused(batch(0, 2), .unexpected("WRONGTYPE"))
        #expect(machine.nextAction() == .stop(.refused))
        machine.lookedAgain()
        #expect(machine.nextAction() == nil)
        machine.refused(batch(2, 4), .cursor(last: .zero))
        #expect(machine.nextAction() == .align(attempt: 0))
    }

    @Test("a batch that was read and not yet sent leaves no trace when the journal stops")
    func dropsUnsent() {
        var machine = streaming(at: 0)
        machine.sourceRead(batch(0, 2))
        machine.diverged(.bornAgain)
        #expect(machine.bytesInFlight == 0)
        #expect(machine.nextAction() == .stop(.bornAgain))
        #expect(machine.nextAction() == nil)
    }

    @Test("while the target cannot write, attempts are counted, so that pauses can grow")
    func countsAttempts() {
        var machine = MirrorMachine(windowBytes: 100)
        for attempt in 0..<5 {
            #expect(machine.nextAction() == .align(attempt: attempt))
            machine.refused(.unavailable("OOM"))
        }
    }

    @Test("an empty read is asked again")
    func readsAgain() {
        var machine = streaming(at: 3)
        machine.readFailed(after: id(3))
        #expect(machine.nextAction() == .read(after: id(3)))
    }

    @Test("a source that may have another history is aligned once the window is dry")
    func sourceChanges() {
        var machine = streaming(at: 0)
        machine.sourceRead(batch(0, 2))
        #expect(machine.nextAction() == .append(batch(0, 2)))
        machine.sourceChanged()
        #expect(machine.nextAction() == nil)
        machine.appended(batch(0, 2))
        #expect(machine.nextAction() == .align(attempt: 0))
    }

    @Test("a copy that parted is mended, then asked again where it ends; until then nothing is acknowledged")
    func repairs() {
        var machine = streaming(at: 3)
        machine.linkLost()
        #expect(machine.nextAction() == .align(attempt: 0))
        machine.parted()
        #expect(machine.nextAction() == .repair)
        #expect(machine.nextAction() == nil)
        machine.sourceChanged()
        machine.lookedAgain()
        #expect(machine.nextAction() == nil)
        #expect(machine.acknowledged == id(3))
        machine.repaired()
        #expect(machine.acknowledged == .zero)
        #expect(machine.nextAction() == .align(attempt: 1))
        machine.aligned(at: id(2))
        #expect(machine.nextAction() == .read(after: id(2)))
    }

    @Test("what was mended in vain is tried again after a pause that grows")
    func repairsAgain() {
        var machine = MirrorMachine(windowBytes: 100)
        for attempt in 0..<5 {
            #expect(machine.nextAction() == .align(attempt: attempt))
            machine.parted()
            #expect(machine.nextAction() == .repair)
            machine.refused(.cursor(last: id(7)))
        }
        machine.refused(.unexpected("WIDE 4000"))
        #expect(machine.nextAction() == .stop(.refused))
    }

    @Test("a link that is lost while a copy is mended leaves the rest to the next")
    func losesRepair() {
        for isAsked in [true, false] {
            var machine = MirrorMachine(windowBytes: 100)
            #expect(machine.nextAction() == .align(attempt: 0))
            machine.parted()
            if isAsked { #expect(machine.nextAction() == .repair) }
            machine.linkLost()
            machine.repaired()
            #expect(machine.nextAction() == .align(attempt: 1))
        }
    }
}
