import Lease
import Traffic

/// Three workers of one region, their Redis and the network between, in one thread. Time is in milliseconds.
///
/// Each worker has a clock of its own origin that runs up to 3 % fast or slow. Messages take a while either way. What comes
/// to the server through a connection that it has closed is discarded.
struct SimulatedRegion {
    /// How a worker ends, or seems to.
    enum End: CaseIterable {
        /// SIGKILL: the kernel closes its connections.
        case killed
        /// SIGTERM: the lease is given back.
        case stopped
        /// SIGSTOP: its connections stay open.
        case paused
        /// Its host lost power: nobody closes its connections.
        case vanished

        var isKnownAtOnce: Bool { self == .killed || self == .stopped }
    }

    private enum Event {
        case request(WorkerLease.Action, Link)
        case reply(LeaseValue, isHolderGone: Bool, Link)
        /// The end of a connection reaches the server, or the worker.
        case closedAtServer(Link)
        case closedAtWorker(Link)
        case connect(worker: Int, life: Int)
        case resume(worker: Int, life: Int)
        case start(worker: Int)
    }

    /// A connection of one life of a worker.
    private struct Link: Hashable {
        let worker: Int
        let life: Int
        let number: Int64
    }

    private struct Worker {
        var lease: WorkerLease
        var life = 0
        var link: Link?
        /// The last connection through which anything was answered.
        var answered: Link?
        var isRunning = true
        var isPaused = false
        var isStopping = false
        /// What came while it was paused.
        var inbox: [Event] = []
        let origin: Double
        let rate: Double

        func clock(_ time: Int) -> Duration { .microseconds(Int64((origin + Double(time)) * rate * 1000)) }
    }

    private(set) var now = 0
    private(set) var offences: [String] = []
    /// How often the lease changed hands, or was taken again.
    private(set) var reigns = 0
    private var random: SplitMix64
    private var isFaulty = true
    private var workers: [Worker] = []
    private var queue: [(time: Int, order: Int, event: Event)] = []
    private var order = 0
    private var value = LeaseValue.absent
    private var connections: Set<Int64> = []
    private var lastNumber: Int64 = 0
    private var quietUntil = 0
    private var wasActing: Int?

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        for index in 0..<3 {
            workers.append(
                Worker(
                    lease: WorkerLease(worker: "w\(index):0"), origin: Double.random(in: 0...1e7, using: &random),
                    rate: Double.random(in: 0.97...1.03, using: &random)))
            later(chance(500), .connect(worker: index, life: 0))
        }
    }

    /// The worker that acts now.
    var acting: Int? { workers.indices.first(where: isActing) }

    private func isActing(_ index: Int) -> Bool {
        let worker = workers[index]
        return worker.isRunning && !worker.isPaused && !worker.isStopping
            && worker.lease.mayAct(at: worker.clock(now))
    }

    // MARK: Running

    mutating func run(until end: Int) {
        settle()
        while now < end {
            if isFaulty, chance(40) == 0 { fault() }
            let next = min(queue.map(\.time).min() ?? end, nextDeadline() ?? end)
            // A deadline by a worker's clock falls between two milliseconds.
            now = min(end, max(now + 1, next))
            settle()
        }
    }

    /// All that is due now.
    private mutating func settle() {
        while true {
            for index in workers.indices { act(index) }
            check()
            let due = queue.indices.filter { queue[$0].time <= now }
            guard let next = due.min(by: { (queue[$0].time, queue[$0].order) < (queue[$1].time, queue[$1].order) })
            else { return }
            happen(queue.remove(at: next).event)
        }
    }

    private func nextDeadline() -> Int? {
        workers.filter { $0.isRunning && !$0.isPaused }.compactMap { worker -> Int? in
            guard let deadline = worker.lease.deadline else { return nil }
            return max(now, Int((deadline / .milliseconds(1) / worker.rate - worker.origin).rounded(.up)))
        }.min()
    }

    private mutating func act(_ index: Int) {
        while workers[index].isRunning, !workers[index].isPaused,
            let action = workers[index].lease.nextAction(at: workers[index].clock(now)),
            let link = workers[index].link
        {
            later(delay(), .request(action, link))
            // A connection may die with a request or its answer on the way.
            if isFaulty, now >= quietUntil, chance(100) < 4 { hangUp(link, in: delay()) }
        }
    }

    private mutating func check() {
        let acting = workers.indices.filter(isActing)
        if acting.count > 1 { offences.append("\(acting) at \(now)") }
        if acting.first != nil, acting.first != wasActing { reigns += 1 }
        wasActing = acting.first
    }

    // MARK: Events

    private mutating func happen(_ event: Event) {
        switch event {
        case .request(let action, let link):
            guard connections.contains(link.number) else { return }
            let (answer, isGone) = served(action)
            later(delay(), .reply(answer, isHolderGone: isGone, link))
        case .closedAtServer(let link):
            connections.remove(link.number)
        case .connect(let index, let life):
            guard workers[index].isRunning, workers[index].life == life, workers[index].link == nil else { return }
            if workers[index].isPaused { return workers[index].inbox.append(event) }
            lastNumber += 1
            let link = Link(worker: index, life: life, number: lastNumber)
            connections.insert(lastNumber)
            workers[index].link = link
            workers[index].lease.connected(as: lastNumber, at: workers[index].clock(now))
        case .reply(let value, let isGone, let link):
            guard workers[link.worker].isRunning, workers[link.worker].link == link else { return }
            if workers[link.worker].isPaused { return workers[link.worker].inbox.append(event) }
            workers[link.worker].answered = link
            let clock = workers[link.worker].clock(now)
            workers[link.worker].lease.answered(value, isHolderGone: isGone, at: clock)
        case .closedAtWorker(let link):
            guard workers[link.worker].isRunning, workers[link.worker].link == link else { return }
            if workers[link.worker].isPaused { return workers[link.worker].inbox.append(event) }
            workers[link.worker].link = nil
            workers[link.worker].lease.connectionLost()
            later(chance(200), .connect(worker: link.worker, life: link.life))
        case .resume(let index, let life):
            guard workers[index].life == life, workers[index].isPaused else { return }
            workers[index].isPaused = false
            let inbox = workers[index].inbox
            workers[index].inbox = []
            for event in inbox { happen(event) }
        case .start(let index): restart(index)
        }
    }

    private mutating func served(_ action: WorkerLease.Action) -> (LeaseValue, Bool) {
        switch action {
        case .look(let connection): return (value, connection.map { !connections.contains($0) } ?? false)
        case .exchange(let expected, let new):
            if value == expected { value = new }
            return (value, false)
        }
    }

    // MARK: Faults

    private mutating func fault() {
        let index = Int(random.next() % 3)
        guard workers[index].isRunning, !workers[index].isPaused else { return }
        switch random.next() % 12 {
        case 0, 1, 2:
            end(index, .paused)
            later(chance(random.next() % 2 == 0 ? 400 : 9_000), .resume(worker: index, life: workers[index].life))
        case 3:
            guard now >= quietUntil, let link = workers[index].link else { return }
            // CLIENT KILL: the worker hears of it at once.
            later(0, .closedAtWorker(link))
            later(0, .closedAtServer(link))
        case 4, 5:
            guard let kind = End.allCases.randomElement(using: &random), kind != .paused else { return }
            end(index, kind)
            later(2_400 + chance(4_000), .start(worker: index))
        case 6: flush()
        default: break
        }
    }

    /// FLUSHALL, once: absence has no beat by which two could be told apart. For the next while nobody connects: one who
    /// knows nothing of before would take a lease that is absent.
    private mutating func flush() {
        guard quietUntil == 0,
            workers.allSatisfy({
                !$0.isRunning || $0.link != nil && $0.answered == $0.link && $0.inbox.isEmpty
            }),
            queue.allSatisfy({
                switch $0.event {
                case .connect, .closedAtServer, .closedAtWorker: false
                case .start: $0.time > now + 3_000
                case .request, .reply, .resume: true
                }
            })
        else { return }
        value = .absent
        quietUntil = now + 3_000
    }

    /// The worker gives a connection up; the server hears of that behind what was sent through it.
    private mutating func hangUp(_ link: Link, in delay: Int) {
        later(delay, .closedAtWorker(link))
        later(max(delay, lastArrival(through: link)) + self.delay(), .closedAtServer(link))
    }

    /// How long until the last request through a connection is there.
    private func lastArrival(through link: Link) -> Int {
        queue.map { entry in
            if case .request(_, link) = entry.event { entry.time - now } else { 0 }
        }.max() ?? 0
    }

    mutating func end(_ index: Int, _ kind: End) {
        switch kind {
        case .paused:
            workers[index].isPaused = true
            return
        case .stopped:
            if let action = workers[index].lease.stopped(), let link = workers[index].link {
                later(delay(), .request(action, link))
            }
        case .killed, .vanished: break
        }
        workers[index].isRunning = false
        workers[index].isPaused = false
        workers[index].inbox = []
        if kind != .vanished, let link = workers[index].link {
            later(lastArrival(through: link) + delay(), .closedAtServer(link))
        }
        workers[index].link = nil
    }

    /// A new process in place of one that ended; a paused one goes on.
    mutating func restart(_ index: Int) {
        guard !workers[index].isPaused else {
            return happen(.resume(worker: index, life: workers[index].life))
        }
        guard !workers[index].isRunning else { return }
        workers[index].life += 1
        let life = workers[index].life
        workers[index].lease = WorkerLease(worker: "w\(index):\(life)")
        workers[index].isRunning = true
        later(chance(200), .connect(worker: index, life: life))
    }

    /// No more faults; everybody runs.
    mutating func calmDown() {
        isFaulty = false
        run(until: max(now, quietUntil))
        queue.removeAll { entry in
            switch entry.event {
            case .resume, .start: true
            default: false
            }
        }
        for index in workers.indices { restart(index) }
    }

    // MARK: Chance

    private mutating func later(_ delay: Int, _ event: Event) {
        order += 1
        queue.append((now + delay, order, event))
    }

    private mutating func chance(_ below: Int) -> Int { Int(random.next() % UInt64(below)) }

    /// Of a message: mostly short, at times long.
    private mutating func delay() -> Int {
        isFaulty && chance(20) == 0 ? 1 + chance(1_500) : 1 + chance(4)
    }
}
