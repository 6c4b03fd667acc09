internal import Capture
internal import Journal
internal import Lease
internal import Mirror
internal import Projection
internal import Traffic

// Workers: how they begin, stand by, work, pause and end.
extension World {
    mutating func start(_ region: Int, _ slot: Int) {
        guard !regions[region].workers[slot].isRunning else { return }
        regions[region].workers[slot].isRunning = true
        regions[region].workers[slot].isPaused = false
        regions[region].workers[slot].life += 1
        if plan.jumpsClocks { regions[region].workers[slot].origin = random.below(1 << 32) }
        guard plan.workers > 1 else { return work(region, slot) }
        let life = regions[region].workers[slot].life
        regions[region].workers[slot].lease = LeaseDriver(
            own: .redis(region), worker: "\(regions[region].name):\(slot):\(life)")
        tell(Owner(region: region, slot: slot, life: life, part: .lease), .started)
    }

    /// The worker does its region's work from now on.
    private mutating func work(_ region: Int, _ slot: Int) {
        equip(region, slot)
        let worker = regions[region].workers[slot]
        for part in parts(of: region) {
            tell(Owner(region: region, slot: slot, life: worker.life, reign: worker.reign, part: part), .started)
        }
    }

    /// Gives a worker its parts.
    private mutating func equip(_ region: Int, _ slot: Int) {
        regions[region].workers[slot].isWorking = true
        regions[region].workers[slot].reign += 1
        marksDrawn += 10_000
        let (name, own) = (regions[region].name, Server.redis(region))
        let journals = shipped(from: region)
        let peers = regions.indices.filter { $0 != region }
        regions[region].workers[slot].links = peers.enumerated().map { index, peer in
            MirrorDriver(
                region: name, peer: regions[peer].name, own: own, remote: .redis(peer), journals: journals,
                windowBytes: 200 + random.below(4000), readEntries: 1 + random.below(6),
                marks: marksDrawn + index * 3_000,
                hearing: plan.hasLastingCut ? LinkHearing(first: UInt64(random.below(1 << 40))) : nil)
        }
        regions[region].workers[slot].voice = VoiceDriver(
            region: name, own: own, journals: voiceJournals, readEntries: 1 + random.below(6))
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
            own: own, journal: .provisioning(origin: name), settings: settings, marks: marksDrawn + 9_000)
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

    var voiceJournals: [JournalName] {
        regions.flatMap { origin in plan.tenants.map { .voice(tenant: $0, origin: origin.name) } }
    }

    /// All journals that are mirrored, with their keys and regions of birth.
    func watched() -> [Watched] {
        regions.indices.flatMap { origin in
            shipped(from: origin).map { Watched(origin: origin, journal: $0, key: $0.key) }
        }
    }

    // MARK: Facts

    /// Tells a part of a worker something, and does what it wants done then.
    mutating func tell(_ owner: Owner, _ fact: Fact) {
        guard isAlive(owner) else { return }
        guard !regions[owner.region].workers[owner.slot].isPaused else {
            return regions[owner.region].workers[owner.slot].inbox.append((owner, fact))
        }
        let time = regions[owner.region].workers[owner.slot].origin + now
        var out = Outbox()
        switch owner.part {
        case .mirror(let peer):
            let index = peer < owner.region ? peer : peer - 1
            regions[owner.region].workers[owner.slot].links[index].take(fact, now: time, &out)
        case .voice: regions[owner.region].workers[owner.slot].voice?.take(fact, now: time, &out)
        case .provisioning: regions[owner.region].workers[owner.slot].provisioning?.take(fact, now: time, &out)
        case .capture: regions[owner.region].workers[owner.slot].capture?.take(fact, now: time, &out)
        case .lease: regions[owner.region].workers[owner.slot].lease?.take(fact, now: time, &out)
        }
        carryOut(out, of: owner)
        if owner.part == .lease { obeyLease(owner.region, owner.slot) }
    }

    /// The part is of what its worker is at present.
    private func isAlive(_ owner: Owner) -> Bool {
        let worker = regions[owner.region].workers[owner.slot]
        guard worker.isRunning, worker.life == owner.life else { return false }
        return owner.part == .lease || worker.isWorking && worker.reign == owner.reign
    }

    private mutating func carryOut(_ out: Outbox, of owner: Owner) {
        for channel in out.closes { close(owner, channel) }
        for (channel, server) in out.connects { connect(owner, channel, to: server) }
        for (channel, request, question) in out.sends { send(owner, channel, request, question) }
        for (delay, alarm) in out.alarms { agenda.add(.alarm(owner, alarm), at: now + delay) }
    }

    /// A worker works while it holds the lease.
    private mutating func obeyLease(_ region: Int, _ slot: Int) {
        let worker = regions[region].workers[slot]
        let mayAct = worker.lease?.lease.mayAct(at: .milliseconds(worker.origin + now)) ?? false
        if mayAct, !worker.isWorking {
            say("worker \(slot) of \(regions[region].name) takes the lease")
            work(region, slot)
        } else if !mayAct, worker.isWorking {
            say("worker \(slot) of \(regions[region].name) lost the lease")
            regions[region].workers[slot].isWorking = false
            for number in wires.indices where wires[number].isHeld && wires[number].owner.part != .lease {
                let owner = wires[number].owner
                if owner.region == region, owner.slot == slot { close(owner, wires[number].channel) }
            }
        }
    }

    // MARK: Ends and pauses

    mutating func kill(_ region: Int, _ slot: Int) {
        guard regions[region].workers[slot].isRunning else { return }
        say("worker \(slot) of \(regions[region].name) is killed")
        regions[region].workers[slot].isRunning = false
        regions[region].workers[slot].isWorking = false
        regions[region].workers[slot].inbox.removeAll()
        for number in wires.indices where wires[number].isHeld {
            let owner = wires[number].owner
            if owner.region == region, owner.slot == slot { close(owner, wires[number].channel) }
        }
        agenda.add(.start(region: region, slot: slot), at: now + 20 + random.below(400))
    }

    mutating func pause(_ region: Int, _ slot: Int) {
        guard regions[region].workers[slot].isRunning, !regions[region].workers[slot].isPaused else { return }
        let time = 200 + random.below(random.chance(percent: 50) ? 800 : 6_000)
        say("worker \(slot) of \(regions[region].name) pauses for \(time)")
        regions[region].workers[slot].isPaused = true
        regions[region].workers[slot].pausedAt = now
        agenda.add(.mend(.pause(region: region, slot: slot, life: regions[region].workers[slot].life)), at: now + time)
    }

    /// A worker that was paused goes on with what came meanwhile; it learns only then what became of its lease.
    mutating func wake(_ region: Int, _ slot: Int, _ life: Int) {
        guard regions[region].workers[slot].life == life, regions[region].workers[slot].isPaused else { return }
        regions[region].workers[slot].isPaused = false
        let inbox = regions[region].workers[slot].inbox
        regions[region].workers[slot].inbox = []
        for (owner, fact) in inbox { tell(owner, fact) }
        for number in wires.indices where wires[number].isHeld {
            let (owner, channel) = (wires[number].owner, wires[number].channel)
            guard owner.region == region, owner.slot == slot else { continue }
            guard wires[number].isGone else {
                for _ in wires[number].answers {
                    agenda.add(.answer(wire: number), at: max(now, wires[number].lastAnswer))
                }
                continue
            }
            close(owner, channel)
            tell(owner, .lost(channel))
        }
    }
}
