internal import Journal
internal import Traffic

// What befalls servers: they end, come back without what was not on disk, are emptied.
extension World {
    /// Keeps what a region's Redis is now: it may go back to it.
    mutating func remember() {
        guard plan.losesRedis else { return }
        for region in regions.indices {
            regions[region].past.append(regions[region].redis.values)
            if regions[region].past.count > 8 { regions[region].past.removeFirst() }
        }
    }

    /// A region's Redis ends and comes back, with everything or without its tail.
    mutating func restartRedis(_ region: Int, loses: Bool) {
        guard regions[region].isUp else { return }
        let time = 20 + random.below(800)
        say("Redis of \(regions[region].name) ends\(loses ? " and loses its tail" : ""), for \(time)")
        regions[region].isUp = false
        regions[region].redis.runID += 1
        hangUpAll(.redis(region))
        agenda.add(.mend(.redis(region: region)), at: now + time)
        guard loses, !regions[region].past.isEmpty else { return }
        let place = random.below(regions[region].past.count)
        lose(region) { $0.values = $1[place] }
    }

    /// A region's Redis is emptied while everybody is connected.
    mutating func flush(_ region: Int) {
        say("Redis of \(regions[region].name) is emptied")
        lose(region) { redis, _ in redis.values.removeAll() }
    }

    private mutating func lose(
        _ region: Int, _ body: (inout SimulatedRedis, [[String: SimulatedRedis.Value]]) -> Void
    ) {
        let before = contents
        body(&regions[region].redis, regions[region].past)
        regions[region].past.removeAll()
        destroyed.formUnion(before.subtracting(contents))
        regions[region].cursors.removeAll()
        losses += 1
        for watched in journals {
            regions[region].seen[watched.journal] = regions[region].redis.stream(watched.key)?.generated
        }
    }

    /// The oldest entries of a voice journal go, by this worker for want of room or by somebody else.
    mutating func trim(_ region: Int) {
        let journal = JournalName.voice(
            tenant: plan.tenants[random.below(plan.tenants.count)], origin: regions[region].name)
        guard regions[region].isUp, let stream = regions[region].redis.stream(journal.key), !stream.entries.isEmpty
        else { return }
        let count = 1 + random.below(4)
        say("the oldest \(count) of \(journal) go")
        let before = contents
        if random.chance(percent: 50) {
            let meta = regions[region].redis.hash(journal.metaKey)
            let command = JournalFunctions.behead(
                journal, by: count, birth: meta["birth"] ?? "", floor: meta["floor"] ?? "")
            _ = run(command, at: region)
        } else {
            regions[region].redis.trim(journal.key, by: count)
        }
        destroyed.formUnion(before.subtracting(contents))
        trims += 1
    }

    /// Every connection to a server ends.
    mutating func hangUpAll(_ server: Server) {
        for number in wires.indices where wires[number].isHeld && wires[number].server == server {
            wires[number].requests.removeAll()
            wires[number].parked.removeAll()
            waiting.remove(number)
            reset(number)
        }
    }

    /// What there is of voice journals anywhere, closed copies included.
    var contents: Set<String> {
        var contents: Set<String> = []
        for region in regions {
            for case .stream(let stream) in region.redis.values.values {
                for entry in stream.entries where entry.fields[0] == "event" { contents.insert(entry.content) }
            }
        }
        return contents
    }

    // MARK: PostgreSQL

    mutating func crashPostgres() {
        guard isPostgresUp else { return }
        let time = 20 + random.below(800)
        say("PostgreSQL crashes, for \(time)")
        isPostgresUp = false
        postgres.crash(forgetting: random.below(5))
        hangUpAll(.postgres)
        agenda.add(.mend(.postgres), at: now + time)
    }

    mutating func loseSlot() {
        guard var slot = postgres.slot else { return }
        say("the slot is lost")
        slot.isLost = random.chance(percent: 50)
        postgres.slot = slot.isLost ? slot : nil
        hangUpAll(.postgres)
        if slot.isLost { postgres.slot?.wire = nil }
    }

    mutating func promote() {
        guard isPostgresUp else { return }
        let count = random.below(3)
        say("a standby without the last \(count) transactions is promoted")
        isPostgresUp = false
        postgres.promote(losing: count)
        hangUpAll(.postgres)
        agenda.add(.mend(.postgres), at: now + 20 + random.below(800))
    }
}
