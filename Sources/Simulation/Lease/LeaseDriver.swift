internal import Journal
internal import Lease

/// Drives a `WorkerLease` as `LeaseKeeper` does, by a connection of its own.
struct LeaseDriver: Driver {
    enum Question {
        case lease
    }

    private let own: Server
    private(set) var lease: WorkerLease
    private var session = 0
    private var attempt = 0
    /// It waits before it connects again.
    private var isDown = false
    private var alarmAt = Int.max

    init(own: Server, worker: String) {
        self.own = own
        lease = WorkerLease(worker: worker)
    }

    mutating func take(_ fact: Fact, now: Int, _ out: inout Outbox) {
        let time = Duration.milliseconds(now)
        switch fact {
        case .started, .woke(.connect):
            isDown = false
            out.connects.append((.local, own))
        case .connected(_, let wire):
            attempt = 0
            lease.connected(as: Int64(wire), at: time)
        case .lost where isDown: break
        case .lost:
            isDown = true
            session += 1
            alarmAt = .max
            lease.connectionLost()
            out.closes.append(.local)
            out.alarms.append((min(1_000, 50 << min(attempt, 5)), .connect))
            attempt += 1
        case .woke(.machine(session: session)): alarmAt = .max
        case .woke: break
        case .answered(_, .lease(let value, let isGone)): lease.answered(value, isHolderGone: isGone, at: time)
        case .answered: lease.failed(at: time)
        }
        while let action = lease.nextAction(at: time) {
            out.sends.append((.local, .lease(action), .lease(.lease)))
        }
        guard let deadline = lease.deadline.map({ Int($0 / .milliseconds(1)) + 1 }), deadline < alarmAt else { return }
        alarmAt = deadline
        out.alarms.append((max(1, deadline - now), .machine(session: session)))
    }
}
