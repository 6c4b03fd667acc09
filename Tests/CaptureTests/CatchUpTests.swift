import PGOutput
import Testing

@testable import Capture

@Suite("Whether a stream has come to the present")
struct CatchUpTests {
    @Test("at once where nothing was missed")
    func nothing() {
        var catchUp = CatchUp(to: LSN(500))
        catchUp.reached(LSN(500), now: .zero)
        #expect(catchUp.isDone)
    }

    @Test("when the journal has what there was before, and for good")
    func short() {
        var catchUp = CatchUp(to: LSN(500))
        catchUp.took(aged: .seconds(60), now: .seconds(1))
        catchUp.reached(LSN(499), now: .seconds(1))
        #expect(!catchUp.isDone)
        catchUp.reached(LSN(500), now: .seconds(2))
        #expect(catchUp.isDone)
        catchUp.took(aged: .seconds(60), now: .seconds(3))
        catchUp.reached(LSN(600), now: .seconds(3))
        #expect(catchUp.isDone)
    }

    @Test("after a long time only with transactions that are young, or when nothing late comes any more")
    func long() {
        var catchUp = CatchUp(to: LSN(500))
        catchUp.took(aged: .seconds(60), now: .seconds(600))
        catchUp.reached(LSN(500), now: .seconds(600))
        catchUp.reached(LSN(500), now: .seconds(601))
        #expect(!catchUp.isDone)
        var other = catchUp
        other.reached(LSN(500), now: .seconds(602))
        #expect(other.isDone)
        catchUp.took(aged: .seconds(1), now: .seconds(601))
        catchUp.reached(LSN(600), now: .seconds(601))
        #expect(catchUp.isDone)
    }

    @Test("where PostgreSQL waits within a record, but for its word of when the stream opened")
    func partial() {
        let goal: UInt64 = 5 << 20
        var catchUp = CatchUp(to: LSN(goal))
        catchUp.sent(upTo: LSN(goal - 1_000))
        catchUp.reached(LSN(goal - 1_000), now: .zero)
        #expect(!catchUp.isDone)
        catchUp.sent(upTo: LSN(goal - (2 << 20)))
        catchUp.reached(LSN(goal - 1_000), now: .zero)
        #expect(!catchUp.isDone)
        catchUp.sent(upTo: LSN(goal - 500))
        catchUp.reached(LSN(goal - 1_000), now: .zero)
        #expect(!catchUp.isDone)
        catchUp.reached(LSN(goal - 500), now: .zero)
        #expect(catchUp.isDone)
    }
}
