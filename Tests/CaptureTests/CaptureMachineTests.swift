import Capture
import Journal
import PGOutput
import RESP
import Testing

/// Batches by hand: `batch(3, 5)` holds entries 4 and 5; `closing` is the end LSN of what it closes.
func batch(_ previous: UInt64, _ last: UInt64, closing: UInt64? = nil) -> CaptureBatch {
    var builder = EntryBatchBuilder(previous: EntryID(first: 1, second: previous))
    for number in (previous + 1)...last {
        builder.append(id: EntryID(first: 1, second: number), fields: 1) { strings in
            strings.append("n")
            strings.append("\(number)")
        }
    }
    guard let entries = builder.batch() else { preconditionFailure("a batch of nothing") }
    return CaptureBatch(
        entries, position: closing.flatMap { Position(history: 1, lsn: $0) }, transactions: closing == nil ? 0 : 1,
        committedAt: nil)
}

func journal(_ last: UInt64, at lsn: UInt64, birth: String = "b") -> JournalState {
    JournalState(
        birth: birth, last: EntryID(first: 1, second: last), position: Position(history: 1, lsn: lsn))
}

/// An action as a line, so that transcripts compare.
func line(_ action: CaptureMachine.Action?) -> String {
    switch action {
    case nil: "-"
    case .read: "read"
    case .open: "open"
    case .append(let submission):
        "append \(submission.batch.previous.second)→\(submission.batch.last.second)"
            + (submission.batch.position.map { " at \($0.lsn)" } ?? "")
    case .report(let received, let confirmed): "report \(received.rawValue) \(confirmed.rawValue)"
    case .restart: "restart"
    case .stop(let stop): "stop \(stop.name)"
    }
}

@Suite("Capture machine: one slot into one journal")
struct CaptureMachineTests {
    private func machine(
        confirmDelay: Duration = .zero, windowBytes: Int = 4 << 20
    ) -> CaptureMachine {
        var settings = CaptureMachine.Settings()
        settings.confirmDelay = confirmDelay
        settings.windowBytes = windowBytes
        return CaptureMachine(journal: journal(3, at: 100), settings: settings, now: .zero)
    }

    private func actions(_ machine: inout CaptureMachine, at now: Duration = .zero) -> [String] {
        var lines: [String] = []
        while let action = machine.nextAction(now: now) { lines.append(line(action)) }
        return lines
    }

    @Test("it says where it stands, then reads")
    func begins() {
        var machine = machine()
        #expect(actions(&machine) == ["report 100 100", "read"])
        machine.readAnswered()
        machine.received(walEnd: LSN(150))
        #expect(actions(&machine) == ["read"])
        #expect(actions(&machine, at: .milliseconds(500)) == ["report 150 100"])
    }

    @Test("only what the journal has taken is confirmed")
    func confirms() {
        var machine = machine()
        _ = actions(&machine)
        machine.encoded(batch(3, 5, closing: 120))
        machine.encoded(batch(5, 9, closing: 140))
        #expect(actions(&machine) == ["append 3→5 at 120", "append 5→9 at 140"])
        #expect(machine.appended(0, now: .zero)?.last == EntryID(first: 1, second: 5))
        #expect(actions(&machine, at: .milliseconds(500)) == ["report 100 120"])
    }

    @Test("confirmations trail by the delay, and need a later answer that proves the journal was not lost meanwhile")
    func trails() {
        var machine = machine(confirmDelay: .seconds(2))
        #expect(actions(&machine) == ["report 100 0", "read"])
        machine.encoded(batch(3, 5, closing: 120))
        _ = actions(&machine)
        machine.appended(0, now: .milliseconds(300))
        #expect(machine.recorded == LSN(120))
        #expect(actions(&machine, at: .milliseconds(2_200)) == ["report 100 0"])
        #expect(actions(&machine, at: .milliseconds(2_300)) == ["append 5→5 at 120"])
        machine.appended(1, now: .milliseconds(2_310))
        #expect(actions(&machine, at: .milliseconds(2_700)) == ["report 100 120"])
    }

    @Test("an answer to what was sent too soon proves nothing")
    func earlyAnswers() {
        var machine = machine(confirmDelay: .seconds(2))
        _ = actions(&machine)
        machine.encoded(batch(3, 5, closing: 120))
        machine.encoded(batch(5, 6, closing: 130))
        _ = actions(&machine, at: .milliseconds(100))
        machine.appended(0, now: .milliseconds(200))
        machine.appended(1, now: .seconds(5))
        #expect(machine.confirmed == .zero)
    }

    @Test("half a transaction moves no position")
    func halfTransaction() {
        var machine = machine()
        _ = actions(&machine)
        machine.encoded(batch(3, 5))
        #expect(actions(&machine) == ["append 3→5"])
        machine.appended(0, now: .zero)
        #expect(machine.recorded == LSN(100))
    }

    @Test("a full window stops reading; reports go on")
    func fillsTheWindow() {
        var machine = machine(windowBytes: 10)
        _ = actions(&machine)
        machine.readAnswered()
        machine.received(walEnd: LSN(150))
        machine.encoded(batch(3, 5, closing: 120))
        #expect(actions(&machine) == ["append 3→5 at 120"])
        #expect(actions(&machine, at: .milliseconds(500)) == ["report 150 100"])
        machine.appended(0, now: .milliseconds(600))
        #expect(actions(&machine, at: .milliseconds(600)) == ["read"])
    }

    @Test("an idle stream's end is recorded, then confirmed; seldom, unless asked for")
    func idle() {
        var machine = machine()
        _ = actions(&machine)
        machine.idle(at: LSN(200))
        #expect(actions(&machine) == ["append 3→3 at 200"])
        machine.appended(0, now: .milliseconds(20))
        machine.idle(at: LSN(210))
        #expect(actions(&machine, at: .milliseconds(30)).isEmpty)
        machine.replyRequested()
        machine.idle(at: LSN(220))
        #expect(actions(&machine, at: .milliseconds(40)) == ["append 3→3 at 220", "report 100 200"])
        machine.idle(at: LSN(230))
        #expect(actions(&machine, at: .milliseconds(1_039)) == ["report 100 200"])
        #expect(machine.deadline == .milliseconds(1_040))
        #expect(actions(&machine, at: .milliseconds(1_040)) == ["append 3→3 at 230"])
    }

    @Test("an idle journal is asked now and then, so that an emptied Redis is noticed")
    func probes() {
        var machine = machine()
        _ = actions(&machine)
        #expect(actions(&machine, at: .seconds(2)) == ["append 3→3 at 100", "report 100 100"])
        machine.refused(0, .fenced, now: .seconds(2))
        #expect(actions(&machine, at: .seconds(2)) == ["restart"])
    }

    @Test("Redis away: the answers owed are awaited, then its journal says what is lacking")
    func resends() {
        var machine = machine()
        _ = actions(&machine)
        for batch in [batch(3, 5, closing: 120), batch(5, 9, closing: 140), batch(9, 10, closing: 160)] {
            machine.encoded(batch)
        }
        _ = actions(&machine)
        machine.refused(0, .unavailable("READONLY"), now: .zero)
        #expect(machine.trouble == "READONLY")
        #expect(actions(&machine).isEmpty)
        machine.refused(1, .unavailable("READONLY"), now: .zero)
        machine.refused(2, .unavailable("READONLY"), now: .zero)
        #expect(actions(&machine, at: .milliseconds(10)).isEmpty)
        #expect(actions(&machine, at: .milliseconds(400)) == ["open"])
        #expect(machine.opened(journal(5, at: 120), now: .milliseconds(400)).count == 1)
        #expect(machine.trouble == nil)
        #expect(machine.recorded == LSN(120))
        #expect(actions(&machine, at: .milliseconds(400)) == ["append 5→9 at 140", "append 9→10 at 160"])
    }

    @Test("a position is refused, the batch behind it taken: the journal is asked, and it goes on")
    func refusedPosition() {
        var machine = machine()
        _ = actions(&machine)
        machine.idle(at: LSN(110))
        #expect(actions(&machine) == ["append 3→3 at 110"])
        machine.encoded(batch(3, 5, closing: 120))
        #expect(actions(&machine) == ["append 3→5 at 120"])
        machine.refused(0, .unavailable("OOM"), now: .zero)
        #expect(machine.appended(1, now: .zero) == nil)
        #expect(actions(&machine) == ["open"])
        #expect(machine.opened(journal(5, at: 120), now: .zero).count == 2)
        #expect(machine.recorded == LSN(120))
        machine.encoded(batch(5, 6, closing: 130))
        #expect(actions(&machine) == ["append 5→6 at 130"])
    }

    @Test("a position that the journal does not hold is not recorded, though what followed it is there")
    func lostPosition() {
        var machine = machine()
        _ = actions(&machine)
        machine.idle(at: LSN(110))
        _ = actions(&machine)
        machine.encoded(batch(3, 5))
        machine.encoded(batch(5, 7, closing: 130))
        #expect(actions(&machine) == ["append 3→5", "append 5→7 at 130"])
        machine.refused(0, .unavailable("OOM"), now: .zero)
        machine.appended(1, now: .zero)
        machine.refused(2, .unavailable("OOM"), now: .zero)
        #expect(actions(&machine, at: .milliseconds(60)) == ["open"])
        #expect(machine.opened(journal(5, at: 100), now: .milliseconds(60)).count == 1)
        #expect(machine.recorded == LSN(100))
        #expect(machine.confirmed == LSN(100))
        #expect(actions(&machine, at: .milliseconds(60)) == ["append 5→7 at 130"])
    }

    @Test("retries come slower, but within a second")
    func backsOff() {
        var machine = machine()
        _ = actions(&machine)
        machine.encoded(batch(3, 5, closing: 120))
        _ = actions(&machine)
        machine.refused(0, .unavailable("closed"), now: .zero)
        var now = Duration.zero
        var gaps: [Duration] = []
        for _ in 0..<7 {
            let before = now
            while true {
                now += .milliseconds(1)
                if actions(&machine, at: now).contains("open") { break }
            }
            gaps.append(now - before)
            machine.refused(.unavailable("closed"), now: now)
        }
        #expect(gaps == gaps.sorted())
        #expect(gaps.last == .seconds(1))
    }

    @Test("a journal that went back behind what is at hand: begin again from its position")
    func restarts() {
        var machine = machine()
        _ = actions(&machine)
        machine.encoded(batch(3, 5, closing: 120))
        machine.encoded(batch(5, 9, closing: 140))
        _ = actions(&machine)
        machine.appended(0, now: .zero)
        machine.refused(1, .cursor(last: EntryID(first: 1, second: 3)), now: .zero)
        #expect(actions(&machine) == ["open"])
        machine.opened(journal(3, at: 100), now: .zero)
        #expect(actions(&machine) == ["restart"])
        #expect(actions(&machine, at: .seconds(9)).isEmpty)
    }

    @Test("an append that was cut in the middle, and a journal born again: begin again")
    func restartsOnOtherJournals() {
        for state in [journal(4, at: 100), journal(3, at: 100, birth: "other"), journal(12, at: 300)] {
            var machine = machine()
            _ = actions(&machine)
            machine.encoded(batch(3, 5, closing: 120))
            _ = actions(&machine)
            machine.refused(0, .unavailable("OOM"), now: .zero)
            #expect(actions(&machine, at: .milliseconds(60)) == ["open"])
            machine.opened(state, now: .zero)
            #expect(actions(&machine) == (state.last.second == 12 ? [] : ["restart"]))
        }
    }

    @Test(
        "a fork and a fence want a fresh look, an unknown answer stops for good",
        arguments: [
            (Refusal.fenced, "restart"), (.forked, "restart"),
            (.unexpected("WRONGTYPE"), "stop redis-unexpected"),
        ])
    func stops(refusal: Refusal, expected: String) {
        var machine = machine()
        _ = actions(&machine)
        machine.encoded(batch(3, 5, closing: 120))
        _ = actions(&machine)
        machine.refused(0, refusal, now: .zero)
        #expect(actions(&machine) == [expected])
        #expect(actions(&machine, at: .seconds(9)).isEmpty)
    }
}
