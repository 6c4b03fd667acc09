internal import Capture
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
    /// What the Redis of one region was told, if that is wanted.
    package internal(set) var recorded: [RedisCommand] = []
    /// What was ever written to each journal where it is born.
    var ledger: [JournalName: Ledger] = [:]
    /// What went wrong.
    package internal(set) var offences: [String] = []
    /// What happened, for people.
    package internal(set) var story: [String] = []
    /// When everything had come to rest after the last fault; nil while it has not.
    package internal(set) var settledAt: Int?
    /// What was carried out so far, as one number: the same for the same seed.
    package private(set) var trace: UInt64 = 0xcbf2_9ce4_8422_2325

    package init(_ plan: Plan) {
        self.plan = plan
        random = SplitMix64(seed: plan.seed)
        let names = ["us-east", "eu-west", "ap-south"].prefix(plan.regions)
        for name in names {
            var region = Region(name: name, producer: VoiceProducer(region: name, tenants: plan.tenants))
            region.workers = Array(repeating: Worker(), count: plan.workers)
            regions.append(region)
        }
        for index in regions.indices {
            for slot in 0..<plan.workers { agenda.add(.start(region: index, slot: slot), at: random.below(50)) }
            agenda.add(.produce(region: index), at: random.below(200))
        }
        if plan.hasProvisioning { agenda.add(.commit, at: random.below(200)) }
        agenda.add(.fault, at: 300 + random.below(1000))
        agenda.add(.sweep, at: 250)
        agenda.add(.calm, at: plan.calmAt)
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
            fault()
            agenda.add(.fault, at: now + 50 + random.below(plan.pause))
        case .mend(let damage): mend(damage)
        case .sweep:
            sweep()
            agenda.add(.sweep, at: now + 250)
        case .calm: calm()
        }
    }

    /// What a region's Redis holds.
    package func redis(of region: Int) -> SimulatedRedis { regions[region].redis }

    mutating func note(_ number: Int) { trace = (trace ^ UInt64(bitPattern: Int64(number))) &* 0x100_0000_01b3 }

    mutating func tell(_ words: String) { story.append("\(now) \(words)") }

    // MARK: Workers

    private mutating func start(_ region: Int, _ slot: Int) {
        guard !regions[region].workers[slot].isRunning else { return }
        regions[region].workers[slot].isRunning = true
        regions[region].workers[slot].isPaused = false
        regions[region].workers[slot].life += 1
        let life = regions[region].workers[slot].life
        equip(region, slot, life)
        for part in parts(of: region) {
            tell(Owner(region: region, slot: slot, life: life, part: part), .started)
        }
    }

    /// Gives a worker its parts.
    private mutating func equip(_ region: Int, _ slot: Int, _ life: Int) {
        let (name, own) = (regions[region].name, Server.redis(region))
        let journals = shipped(from: region)
        regions[region].workers[slot].links = regions.indices.filter { $0 != region }.map { peer in
            MirrorDriver(
                region: name, peer: regions[peer].name, own: own, remote: .redis(peer), journals: journals,
                windowBytes: 200 + random.below(4000), readEntries: 1 + random.below(6),
                marks: ((region * 8 + peer) * 8 + slot) * 1_000_000 + life * 10_000)
        }
        let voices = regions.flatMap { origin in plan.tenants.map { JournalName.voice(tenant: $0, origin: origin.name) } }
        regions[region].workers[slot].voice = VoiceDriver(
            region: name, own: own, journals: voices, readEntries: 1 + random.below(6))
        guard plan.hasProvisioning else { return }
        var limits = ProvisioningFold.Limits()
        limits.joinedObjects = 6
        limits.wholeObjects = 1 + random.below(10)
        limits.chunkObjects = 1 + random.below(4)
        regions[region].workers[slot].provisioning = ProvisioningDriver(
            own: own, journals: regions.map { .provisioning(origin: $0.name) }, catalog: SimulatedPostgres.catalog,
            limits: limits, readEntries: 1 + random.below(10))
        var settings = CaptureDriver.Settings()
        settings.batch = BatchLimits(entries: 1 + random.below(8))
        settings.machine.confirmDelay = plan.isDurable ? .zero : .seconds(2)
        settings.healPatience = 3_000
        regions[region].workers[slot].capture = CaptureDriver(
            own: own, journal: .provisioning(origin: name), settings: settings, marks: (slot * 1_000 + life) * 1_000)
    }

    private func parts(of region: Int) -> [Part] {
        let links = regions.indices.filter { $0 != region }.map { Part.mirror(peer: $0) }
        return links + [.voice] + (plan.hasProvisioning ? [.provisioning, .capture] : [])
    }

    /// The journals born in a region that its peers get.
    func shipped(from region: Int) -> [JournalName] {
        let origin = regions[region].name
        let voices = plan.tenants.map { JournalName.voice(tenant: $0, origin: origin) }
        return [.control(origin: origin)] + voices + (plan.hasProvisioning ? [.provisioning(origin: origin)] : [])
    }

    /// Tells a part of a worker something, and does what it wants done then.
    mutating func tell(_ owner: Owner, _ fact: Fact) {
        let worker = regions[owner.region].workers[owner.slot]
        guard worker.isRunning, worker.life == owner.life else { return }
        guard !worker.isPaused else { return regions[owner.region].workers[owner.slot].inbox.append((owner, fact)) }
        var out = Outbox()
        switch owner.part {
        case .mirror(let peer):
            let index = peer < owner.region ? peer : peer - 1
            regions[owner.region].workers[owner.slot].links[index].take(fact, now: now, &out)
        case .voice: regions[owner.region].workers[owner.slot].voice?.take(fact, now: now, &out)
        case .provisioning: regions[owner.region].workers[owner.slot].provisioning?.take(fact, now: now, &out)
        case .capture: regions[owner.region].workers[owner.slot].capture?.take(fact, now: now, &out)
        case .lease: break
        }
        carryOut(out, of: owner)
    }

    private mutating func carryOut(_ out: Outbox, of owner: Owner) {
        for channel in out.closes { close(owner, channel) }
        for (channel, server) in out.connects { connect(owner, channel, to: server) }
        for (channel, request, question) in out.sends { send(owner, channel, request, question) }
        for (delay, alarm) in out.alarms { agenda.add(.alarm(owner, alarm), at: now + delay) }
    }

    // MARK: Producers

    private mutating func produce(_ index: Int) {
        guard !isCalm else { return }
        agenda.add(.produce(region: index), at: now + 20 + random.below(plan.producePause))
        let (journal, fields) = regions[index].producer.next(&random)
        guard regions[index].isUp else { return }
        // Whoever is refused does not try again: no event is written twice.
        let command = RedisCommand(words: ["XADD", journal.key, "*"] + fields, runs: [])
        guard case .success = run(command, at: index) else { return }
        changed(.redis(index))
    }

    /// The servers' clocks, ms since 1970.
    var clock: UInt64 { UInt64(1_763_800_000_000 + now) }
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
