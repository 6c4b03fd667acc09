internal import Journal
internal import Projection
package import RESP
internal import Traffic

/// Regions, their servers, their workers and the links between as one value: what happens follows from the seed alone.
///
/// Time is in ms. Requests and answers travel a while and arrive in order; faults happen to servers, connections,
/// directions and workers until `calmAt`, then all is mended and everything has to come to rest before `endsAt`.
package struct World {
    enum Event {
        /// The first request on its way through a wire is there.
        case request(wire: Int)
        case answer(wire: Int)
        /// A read has waited long enough.
        case timeout(wire: Int, sent: Int)
        case alarm(Owner, Alarm)
        case start(region: Int, slot: Int)
        case produce(region: Int)
        /// A transaction of the applications.
        case commit
        /// PostgreSQL learns that a stream is over.
        case hangUp(wire: Int)
        case fault
        case mend(Damage)
        /// Now and then: silent connections are given up, and all is looked at.
        case sweep
        case calm
        /// One direction is cut and stays so.
        case cutForGood(Direction)
        /// One more entry in each journal, some time after the last fault.
        case stir
    }

    package let plan: Plan
    package private(set) var now = 0
    var random: SplitMix64
    var agenda = Agenda<Event>()
    var regions: [Region] = []
    var postgres = SimulatedPostgres()
    /// Up to where the stream was sent.
    var streamed: UInt64 = 0
    var wires: [Wire] = []
    /// Marks given out to parts, so that none is drawn twice.
    var marksDrawn = 0
    var isPostgresUp = true
    var postgresClock = HostClock()
    /// How often somebody trimmed a journal.
    var trims = 0
    /// How often one did.
    package internal(set) var losses = 0
    /// Events that a fault destroyed: no server has them any more.
    var destroyed: Set<String> = []
    /// Events whose write was acknowledged.
    var acknowledged: Set<String> = []
    /// Requests so far.
    var sentCount = 0
    /// Wires in which something is parked.
    var waiting: Set<Int> = []
    var channels: [ChannelName: Int] = [:]
    /// Directions through which nothing comes.
    var cuts: Set<Direction> = []
    /// Everything in a direction takes so much longer.
    var delays: [Direction: Int] = [:]
    var isCalm = false
    var isStirred = false
    /// The cut that is to last comes later.
    var awaitsCut = false
    /// A cut that came when both links between two regions were up, so that it has to be told which way it is.
    var cutToTell: Direction?
    /// What the Redis of one region was told, if that is wanted.
    package internal(set) var recorded: [RedisCommand] = []
    /// All that are mirrored.
    var journals: [Watched] = []
    /// By tenant, those of no single one included.
    let cursorKeys: [(tenant: String, key: String)]
    /// What was ever written to each journal where it is born.
    var ledger: [JournalName: Ledger] = [:]
    /// What went wrong.
    package internal(set) var offences: [String] = []
    /// What happened, for people.
    package internal(set) var story: [String] = []
    /// The next fault happens when so many more requests have arrived.
    var requestsToFault: Int?
    /// Faults so far.
    package internal(set) var faults = 0
    /// When everything had come to rest after the last fault; nil while it has not.
    package internal(set) var settledAt: Int?
    /// What was carried out so far, as one number: the same for the same seed.
    package private(set) var trace: UInt64 = 0xcbf2_9ce4_8422_2325

    package init(_ plan: Plan) {
        self.plan = plan
        random = SplitMix64(seed: plan.seed)
        cursorKeys = (plan.tenants + ["_"]).map { ($0, ProjectionKeys.cursors(tenant: $0)) }
        let names = ["us-east", "eu-west", "ap-south"].prefix(plan.regions)
        for name in names {
            var region = Region(name: name, producer: VoiceProducer(region: name, tenants: plan.tenants))
            region.workers = Array(repeating: Worker(), count: plan.workers)
            regions.append(region)
        }
        journals = watched()
        for index in regions.indices {
            for slot in 0..<plan.workers { agenda.add(.start(region: index, slot: slot), at: random.below(50)) }
            agenda.add(.produce(region: index), at: random.below(200))
        }
        if plan.hasProvisioning { agenda.add(.commit, at: random.below(200)) }
        agenda.add(.fault, at: 300 + random.below(1000))
        agenda.add(.sweep, at: 250)
        agenda.add(.calm, at: plan.calmAt)
        if plan.jumpsClocks { setClocks() }
    }

    /// Runs until all is at rest, something is wrong or the time is over.
    package mutating func run() {
        while offences.isEmpty, settledAt == nil, let next = agenda.next {
            guard next <= plan.endsAt else { return judgeProgress() }
            now = max(now, next)
            guard let event = agenda.take() else { return }
            happen(event)
        }
        if settledAt != nil { judgeEnd() }
    }

    private mutating func happen(_ event: Event) {
        switch event {
        case .request(let wire): arrive(wire)
        case .answer(let wire): deliver(wire)
        case .timeout(let wire, let sent): timeOut(wire, sent)
        case .alarm(let owner, let alarm): tell(owner, .woke(alarm))
        case .start(let region, let slot): start(region, slot)
        case .produce(let region): produce(region)
        case .commit: commit()
        case .hangUp(let wire): hangUp(wire)
        case .fault:
            guard !isCalm else { return }
            faults += 1
            fault()
            // In the middle of something, or some time later.
            if random.chance(percent: 50) {
                requestsToFault = 1 + random.below(60)
            } else {
                agenda.add(.fault, at: now + 50 + random.below(plan.pause))
            }
        case .mend(let damage): mend(damage)
        case .sweep:
            remember()
            sweep()
            agenda.add(.sweep, at: now + 250)
        case .calm: calm()
        case .cutForGood(let direction): cutForGood(direction)
        case .stir: stir()
        }
    }

    /// What functions were called for and how often, over all servers.
    package var tally: [String: Int] {
        regions.reduce(into: [:]) { sum, region in sum.merge(region.redis.tally, uniquingKeysWith: +) }
    }

    /// What a region's Redis holds.
    package func redis(of region: Int) -> SimulatedRedis { regions[region].redis }

    mutating func note(_ number: Int) { trace = (trace ^ UInt64(bitPattern: Int64(number))) &* 0x100_0000_01b3 }

    mutating func say(_ words: String) { story.append("\(now) \(words)") }

    // MARK: Producers

    private mutating func produce(_ index: Int) {
        guard !isCalm else { return }
        agenda.add(.produce(region: index), at: now + 20 + random.below(plan.producePause))
        let (journal, fields) = regions[index].producer.next(&random)
        guard regions[index].isUp else { return }
        write(journal, fields, at: index)
    }

    mutating func write(_ journal: JournalName, _ fields: [String], at index: Int) {
        // Whoever is refused does not try again: no event is written twice.
        let command = RedisCommand(words: ["XADD", journal.key, "*"] + fields, runs: [])
        guard case .success = run(command, at: index) else { return }
        acknowledged.insert(fields.joined(separator: "\0"))
        changed(.redis(index))
    }
}

/// A channel of a part.
struct ChannelName: Hashable, Sendable {
    let owner: Owner
    let channel: Channel
}

/// From one region to another.
struct Direction: Hashable, Sendable {
    let from: Int
    let to: Int
}
