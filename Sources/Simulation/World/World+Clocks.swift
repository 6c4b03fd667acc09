internal import Traffic

// The wall clocks of the servers' hosts. They are never put right: nothing may wait for that.
extension World {
    /// Every one is wrong from the beginning.
    mutating func setClocks() {
        for server in clockedServers { setClock(of: server) }
    }

    mutating func jumpClock() {
        let servers = clockedServers
        setClock(of: servers[random.below(servers.count)])
    }

    private var clockedServers: [Server] {
        regions.indices.map { Server.redis($0) } + (plan.hasProvisioning ? [.postgres] : [])
    }

    /// By up to an hour, or by a little; a tenth too fast or too slow at most.
    private mutating func setClock(of server: Server) {
        let reach = random.chance(percent: 50) ? 3_600_000 : 2_000
        let offset = random.below(2 * reach + 1) - reach
        let drift = random.chance(percent: 50) ? random.below(200_001) - 100_000 : 0
        let words = "jumps by \(offset), and is too fast by \(drift) millionths"
        switch server {
        case .redis(let region):
            say("the clock of Redis of \(regions[region].name) \(words)")
            regions[region].clock.set(by: offset, drift: drift, at: now)
        case .postgres:
            say("the clock of PostgreSQL \(words)")
            postgresClock.set(by: offset, drift: drift, at: now)
        }
    }

    /// When PostgreSQL says that it commits now, µs since 2000.
    var commitTime: Int64 { Int64((postgresClock.time(at: now) - 946_684_800_000) * 1_000) }
}
