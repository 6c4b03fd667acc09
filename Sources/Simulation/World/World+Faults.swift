internal import Journal
internal import Traffic

/// What is to be mended later.
enum Damage: Hashable, Sendable {
    case cut(Direction)
    case slow(Direction)
    case mood(region: Int)
    case pause(region: Int, slot: Int, life: Int)
    /// A region's Redis comes back.
    case redis(region: Int)
    case postgres
}

// What goes wrong.
extension World {
    mutating func fault() {
        let region = random.below(regions.count)
        let redis = plan.losesRedis && losses < plan.losses ? 3 : 0
        let tails = plan.isDurable ? 0 : redis
        let postgres = plan.hasProvisioning && plan.harmsPostgres ? 2 : 0
        let pauses = plan.workers > 1 ? 5 : 1
        let trims = plan.trims ? 5 : 0
        let clocks = plan.jumpsClocks ? 4 : 0
        switch random.weighted(
            [3, 4, 3, 3, 3, 3, pauses, 2, tails, redis, postgres, postgres, postgres, trims, clocks])
        {
        case 0: kill(region, random.below(plan.workers))
        case 1: cut()
        case 2: slow()
        case 3: resetAny()
        case 4: turn(region, to: .readOnly)
        case 5: turn(region, to: .full)
        case 6: pause(region, random.below(plan.workers))
        case 7: restartRedis(region, loses: false)
        case 8: restartRedis(region, loses: true)
        case 9: flush(region)
        case 10: crashPostgres()
        case 11: loseSlot()
        case 12: promote()
        case 13: trim(region)
        default: jumpClock()
        }
    }

    private mutating func anyDirection() -> Direction {
        let from = random.below(regions.count)
        return Direction(from: from, to: (from + 1 + random.below(regions.count - 1)) % regions.count)
    }

    /// One direction, or both.
    private mutating func cut() {
        let direction = anyDirection()
        let time = 100 + random.below(random.chance(percent: 30) ? 6_000 : 900)
        let back = Direction(from: direction.to, to: direction.from)
        for direction in random.chance(percent: 50) ? [direction] : [direction, back] {
            say("nothing comes from \(regions[direction.from].name) to \(regions[direction.to].name) for \(time)")
            cuts.insert(direction)
            agenda.add(.mend(.cut(direction)), at: now + time)
        }
    }

    private mutating func slow() {
        let direction = anyDirection()
        delays[direction] = 20 + random.below(400)
        agenda.add(.mend(.slow(direction)), at: now + 200 + random.below(1_000))
    }

    private mutating func resetAny() {
        let held = wires.indices.filter { wires[$0].isHeld }
        guard !held.isEmpty else { return }
        reset(held[random.below(held.count)])
    }

    private mutating func turn(_ region: Int, to mood: SimulatedRedis.Mood) {
        say("Redis of \(regions[region].name) is \(mood)")
        regions[region].redis.mood = mood
        agenda.add(.mend(.mood(region: region)), at: now + 10 + random.below(1_000))
    }

    mutating func mend(_ damage: Damage) {
        switch damage {
        case .cut(let direction):
            cuts.remove(direction)
            release()
        case .slow(let direction): delays[direction] = nil
        case .mood(let region): regions[region].redis.mood = .writable
        case .pause(let region, let slot, let life): wake(region, slot, life)
        case .redis(let region): regions[region].isUp = true
        case .postgres: isPostgresUp = true
        }
    }

    /// No more faults: all is mended but for what is to last.
    mutating func calm() {
        say("calm")
        isCalm = true
        cuts.removeAll()
        delays.removeAll()
        isPostgresUp = true
        if plan.hasLastingCut {
            let direction = anyDirection()
            // While there is much to come through, or when the links have been up for a while and can tell of it.
            if random.chance(percent: 50) {
                cutForGood(direction)
            } else {
                awaitsCut = true
                agenda.add(.cutForGood(direction), at: now + 5_000)
            }
        }
        for region in regions.indices {
            regions[region].redis.mood = .writable
            regions[region].isUp = true
            for slot in 0..<plan.workers {
                wake(region, slot, regions[region].workers[slot].life)
                agenda.add(.start(region: region, slot: slot), at: now)
            }
        }
        release()
        if losses > 0 { agenda.add(.stir, at: now + 1_500) } else { isStirred = true }
    }

    /// The cut that is to last. What is written behind it has to come wherever it still can.
    mutating func cutForGood(_ direction: Direction) {
        say("nothing comes from \(regions[direction.from].name) to \(regions[direction.to].name) any more")
        cuts = [direction]
        guard awaitsCut else { return }
        awaitsCut = false
        let areUp = [link(direction.from, direction.to), link(direction.to, direction.from)].allSatisfy { link in
            link?.isUp == true
        }
        if areUp { cutToTell = direction }
        for region in regions.indices {
            let (journal, fields) = regions[region].producer.next(&random)
            write(journal, fields, at: region)
        }
        guard plan.hasProvisioning else { return }
        change()
        changed(.postgres)
    }

    /// A link notices by its next append that a peer's Redis was emptied. Where it was emptied again within a second, or
    /// while the copy of `control` was new, a journal without traffic would wait for that until the next session.
    mutating func stir() {
        for journal in voiceJournals {
            guard let region = regions.firstIndex(where: { $0.name == journal.origin }) else { continue }
            write(
                journal, ["event", "EventUserEvent", "key", "stir", "data", #"{"id":"stir \#(journal)"}"#], at: region)
        }
        if plan.hasProvisioning {
            change()
            changed(.postgres)
        }
        isStirred = true
    }
}
