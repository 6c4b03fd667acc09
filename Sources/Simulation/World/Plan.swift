internal import Traffic

/// What a schedule is about.
package struct Plan: Hashable, Sendable {
    package let seed: UInt64
    package var regions = 2
    /// Workers of each region.
    package var workers = 1
    package var tenants = ["101"]
    /// When faults end, ms.
    package var calmAt = 5_000
    /// When all must have come to rest.
    package var endsAt = 35_000
    /// Time between two faults at most, ms.
    package var pause = 600
    /// Time between two events of a region at most, ms.
    package var producePause = 250
    /// Time that a message takes within a region at most, ms.
    package var localDelay = 2
    /// Persons change in PostgreSQL and are captured.
    package var hasProvisioning = false
    /// Time between two transactions at most, ms.
    package var commitPause = 250
    /// Each write of a Redis is on its disk at once.
    package var isDurable = true
    /// Redis servers lose their tails and are emptied.
    package var losesRedis = false
    /// How often at most.
    package var losses = Int.max
    /// Somebody trims voice journals, whoever lacks what goes.
    package var trims = false
    /// Wall clocks differ, drift, and jump by up to an hour.
    package var jumpsClocks = false
    /// PostgreSQL crashes, loses its slot, is replaced by a standby.
    package var harmsPostgres = false
    /// One direction is cut and stays so.
    package var hasLastingCut = false

    /// The region whose Redis' commands are recorded.
    package var recordedRegion: Int?

    /// What the seed says. Only a harsh plan lets Redis servers lose something more than once: a second loss in the middle
    /// of a repair may leave a copy that lacks what nobody writes to any more, or, where three regions hold different ends
    /// of a journal, bring back what was given up.
    package init(seed: UInt64, isHarsh: Bool = false) {
        self.seed = seed
        var random = SplitMix64(seed: ~seed)
        regions = random.chance(percent: 25) ? 3 : 2
        hasProvisioning = random.chance(percent: 50)
        isDurable = random.chance(percent: 50)
        hasLastingCut = random.chance(percent: 12)
        workers = random.chance(percent: 20) ? 2 : 1
        harmsPostgres = random.chance(percent: 35)
        losesRedis = random.chance(percent: 35)
        trims = random.chance(percent: 10)
        localDelay = random.chance(percent: 30) ? 25 : 2
        if random.chance(percent: 30) { tenants = ["101", "102"] }
        calmAt = 2_000 + random.below(3_000)
        endsAt = calmAt + 30_000
        losses = isHarsh && regions == 2 ? .max : 1
        jumpsClocks = random.chance(percent: 25)
    }
}
