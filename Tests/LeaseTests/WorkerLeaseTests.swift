import Lease
import Testing

private func mine(_ beat: UInt64, connection: Int64 = 7) -> LeaseValue {
    LeaseValue(holder: "a:1:x", connection: connection, beat: beat)
}

private func theirs(_ beat: UInt64, connection: Int64 = 9) -> LeaseValue {
    LeaseValue(holder: "b:2:y", connection: connection, beat: beat)
}

private func ms(_ number: Int) -> Duration { .milliseconds(number) }

@Suite("Worker lease: who does a region's work")
struct WorkerLeaseTests {
    private func connected() -> WorkerLease {
        var lease = WorkerLease(worker: "a:1:x")
        lease.connected(as: 7, at: ms(0))
        return lease
    }

    /// Holds the lease by a request sent at 0 and answered at 10 ms.
    private func holding() -> WorkerLease {
        var lease = connected()
        #expect(lease.nextAction(at: ms(0)) == .exchange(.absent, for: mine(1)))
        lease.answered(mine(1), at: ms(10))
        return lease
    }

    /// Has seen at 10 ms that another worker holds the lease, which it does not look at before 260 ms.
    private func standingBy(behind value: LeaseValue = theirs(1)) -> WorkerLease {
        var lease = connected()
        #expect(lease.nextAction(at: ms(0)) == .exchange(.absent, for: mine(1)))
        lease.answered(value, at: ms(10))
        #expect(lease.nextAction(at: ms(10)) == .look(connection: value.connection))
        lease.answered(value, at: ms(10))
        return lease
    }

    @Test("a lease that nobody holds is taken at once; it counts from when that was asked for")
    func takes() {
        var lease = connected()
        #expect(!lease.mayAct(at: ms(0)))
        #expect(lease.nextAction(at: ms(0)) == .exchange(.absent, for: mine(1)))
        #expect(lease.nextAction(at: ms(500)) == nil)
        lease.answered(mine(1), at: ms(1000))
        #expect(lease.mayAct(at: ms(2099)))
        #expect(!lease.mayAct(at: ms(2100)))
        #expect(lease.holder == "a:1:x")
    }

    @Test("the holder renews from time to time, each time with the next beat")
    func renews() {
        var lease = holding()
        #expect(lease.deadline == ms(700))
        #expect(lease.nextAction(at: ms(699)) == nil)
        #expect(lease.nextAction(at: ms(700)) == .exchange(mine(1), for: mine(2)))
        #expect(lease.deadline == ms(2100))
        lease.answered(mine(2), at: ms(710))
        #expect(lease.mayAct(at: ms(2799)))
    }

    @Test("without an answer it stops in time; one that comes late counts from its request all the same")
    func lapses() {
        var lease = holding()
        #expect(lease.nextAction(at: ms(700)) == .exchange(mine(1), for: mine(2)))
        #expect(lease.nextAction(at: ms(2100)) == nil)
        #expect(!lease.mayAct(at: ms(2100)))
        lease.answered(mine(2), at: ms(2200))
        #expect(lease.mayAct(at: ms(2799)))
        #expect(!lease.mayAct(at: ms(2800)))
    }

    @Test("woken after a long pause it does nothing before it has asked; found in another's hands, it stands by")
    func wakes() {
        var lease = holding()
        #expect(!lease.mayAct(at: ms(60_000)))
        #expect(lease.nextAction(at: ms(60_000)) == .exchange(mine(1), for: mine(2)))
        lease.answered(theirs(80), at: ms(60_001))
        #expect(!lease.mayAct(at: ms(60_001)))
        #expect(lease.holder == "b:2:y")
        #expect(lease.nextAction(at: ms(60_001)) == .look(connection: 9))
    }

    @Test("a renewal that another worker was faster than ends it at once")
    func refused() {
        var lease = holding()
        #expect(lease.nextAction(at: ms(700)) == .exchange(mine(1), for: mine(2)))
        lease.answered(theirs(1), at: ms(710))
        #expect(!lease.mayAct(at: ms(710)))
    }

    @Test("a renewal that the server does not do is tried again while there is time")
    func triesAgain() {
        var lease = holding()
        #expect(lease.nextAction(at: ms(700)) == .exchange(mine(1), for: mine(2)))
        lease.failed(at: ms(710))
        #expect(lease.mayAct(at: ms(710)))
        #expect(lease.nextAction(at: ms(959)) == nil)
        #expect(lease.nextAction(at: ms(960)) == .exchange(mine(1), for: mine(3)))
    }

    @Test("a holder stops with its connection; through the next one it takes the lease again, its lost renewal or not")
    func reconnects() {
        var lease = holding()
        #expect(lease.nextAction(at: ms(700)) == .exchange(mine(1), for: mine(2)))
        lease.connectionLost()
        #expect(!lease.mayAct(at: ms(720)))
        #expect(lease.nextAction(at: ms(720)) == nil)
        lease.connected(as: 8, at: ms(800))
        #expect(lease.nextAction(at: ms(800)) == .exchange(mine(1), for: mine(3, connection: 8)))
        lease.answered(mine(2), at: ms(801))
        #expect(lease.nextAction(at: ms(801)) == .exchange(mine(2), for: mine(4, connection: 8)))
        lease.answered(mine(4, connection: 8), at: ms(802))
        #expect(lease.mayAct(at: ms(802)))
    }

    @Test("a server that lost the lease gets it again from its holder, through the same connection or the next")
    func flushed() {
        var lease = holding()
        #expect(lease.nextAction(at: ms(700)) == .exchange(mine(1), for: mine(2)))
        lease.answered(.absent, at: ms(710))
        #expect(lease.mayAct(at: ms(710)))
        #expect(lease.nextAction(at: ms(710)) == .exchange(.absent, for: mine(3)))
        lease.answered(mine(3), at: ms(720))
        lease.connectionLost()
        lease.connected(as: 8, at: ms(800))
        #expect(lease.nextAction(at: ms(800)) == .exchange(mine(3), for: mine(4, connection: 8)))
        lease.answered(.absent, at: ms(801))
        #expect(lease.nextAction(at: ms(801)) == .exchange(.absent, for: mine(5, connection: 8)))
    }

    @Test("one that stands by looks often, and takes what stood unchanged for a whole term of its own clock")
    func outlasts() {
        var lease = standingBy()
        var looks = 0
        while let deadline = lease.deadline, deadline < ms(2410) {
            #expect(lease.nextAction(at: deadline) == .look(connection: 9))
            lease.answered(theirs(1), at: deadline)
            looks += 1
        }
        #expect(looks == 9)
        #expect(lease.deadline == ms(2410))
        #expect(lease.nextAction(at: ms(2410)) == .exchange(theirs(1), for: mine(2)))
        lease.answered(mine(2), at: ms(2411))
        #expect(lease.mayAct(at: ms(2411)))
    }

    @Test("each renewal that it sees makes it wait anew; a refusal tells who was faster")
    func waitsAnew() {
        var lease = standingBy()
        #expect(lease.nextAction(at: ms(2400)) == .look(connection: 9))
        lease.answered(theirs(2), at: ms(2400))
        #expect(lease.nextAction(at: ms(4799)) == .look(connection: 9))
        lease.answered(theirs(2), at: ms(4799))
        #expect(lease.nextAction(at: ms(4800)) == .exchange(theirs(2), for: mine(2)))
        let third = LeaseValue(holder: "c:3:z", connection: 11, beat: 1)
        lease.answered(third, at: ms(4801))
        #expect(!lease.mayAct(at: ms(4801)))
        #expect(lease.holder == "c:3:z")
        #expect(lease.nextAction(at: ms(4801)) == .look(connection: 11))
    }

    @Test("a holder without a connection is gone: no need to wait. Not so one that has renewed meanwhile")
    func forsaken() {
        var lease = standingBy()
        #expect(lease.nextAction(at: ms(260)) == .look(connection: 9))
        lease.answered(theirs(2, connection: 12), isHolderGone: true, at: ms(261))
        #expect(lease.nextAction(at: ms(511)) == .look(connection: 12))
        lease.answered(theirs(2, connection: 12), isHolderGone: true, at: ms(512))
        #expect(lease.nextAction(at: ms(512)) == .exchange(theirs(2, connection: 12), for: mine(2)))
    }

    @Test("what was given back is taken at once")
    func givenBack() {
        var lease = standingBy()
        #expect(lease.nextAction(at: ms(260)) == .look(connection: 9))
        lease.answered(.released, at: ms(261))
        #expect(lease.nextAction(at: ms(261)) == .exchange(.released, for: mine(2)))
    }

    @Test("a lease that vanishes is left to its holder for a term; what no worker wrote is outlasted, too")
    func vanished() {
        var lease = standingBy()
        #expect(lease.nextAction(at: ms(260)) == .look(connection: 9))
        lease.answered(.absent, at: ms(300))
        #expect(lease.nextAction(at: ms(2699)) == .look(connection: nil))
        lease.answered(.absent, at: ms(2699))
        #expect(lease.nextAction(at: ms(2700)) == .exchange(.absent, for: mine(2)))
        lease = standingBy(behind: LeaseValue(text: "by hand"))
        #expect(lease.holder == nil)
        #expect(lease.nextAction(at: ms(2410)) == .exchange(LeaseValue(text: "by hand"), for: mine(2)))
    }

    @Test("an orderly stop gives the lease back, behind a renewal under way; nobody else's")
    func stops() {
        var lease = holding()
        #expect(lease.stopped() == .exchange(mine(1), for: .released))
        #expect(lease.nextAction(at: ms(800)) == nil)
        #expect(!lease.mayAct(at: ms(20)))
        lease = holding()
        #expect(lease.nextAction(at: ms(700)) == .exchange(mine(1), for: mine(2)))
        #expect(lease.stopped() == .exchange(mine(2), for: .released))
        lease = standingBy()
        #expect(lease.stopped() == nil)
    }
}
