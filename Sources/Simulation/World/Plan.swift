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
    /// Persons change in PostgreSQL and are captured.
    package var hasProvisioning = false
    /// Time between two transactions at most, ms.
    package var commitPause = 250
    /// Each write of a Redis is on its disk at once.
    package var isDurable = true
    /// Redis servers lose their tails and are emptied.
    package var losesRedis = false
    /// PostgreSQL crashes, loses its slot, is replaced by a standby.
    package var harmsPostgres = false
    /// One direction is cut and stays so.
    package var hasLastingCut = false

    /// The region whose Redis' commands are recorded.
    package var recordedRegion: Int?

    /// What the seed says.
    package init(seed: UInt64) {
        self.seed = seed
        regions = seed % 4 == 3 ? 3 : 2
        hasProvisioning = seed % 2 == 1
        isDurable = seed % 3 != 0
        hasLastingCut = seed % 7 == 6
        workers = seed % 5 == 4 ? 2 : 1
        harmsPostgres = seed % 11 < 4
        losesRedis = seed % 6 > 3
        if losesRedis { regions = 2 }
    }
}
