internal import Connections
internal import Journal
internal import NIOCore
internal import NIOPosix
package import RegionConfig

/// Looks at everything a region file names before a worker relies on it. Changes nothing anywhere.
package struct RegionCheck: Sendable {
    private let region: Region
    /// How the operator calls the file, for commands that are printed.
    private let file: String

    /// A check of the region that `file` describes.
    package init(_ region: Region, file: String) {
        self.region = region
        self.file = file
    }

    /// Tries all Redis servers at once, then PostgreSQL: what is right there depends on what the journal holds. The
    /// time-outs in the file bound it.
    package func run() async -> FindingReport.Section {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        async let ports = PortCheck(region, eventLoop: loop).run()
        async let files = ListenerFileCheck(region).run()
        let (redis, journaled) = await servers(on: loop)
        let postgres = await PostgresCheck(region, file: file, journaled: journaled).run()
        let findings = redis + postgres + (await files) + (await ports)
        return FindingReport.Section(region: region.name, file: file, findings: findings)
    }

    /// The region's own Redis and those of its peers, in the order of the file; and where the own provisioning journal ends.
    private func servers(on eventLoop: any EventLoop) async -> ([Finding], journaled: Position?) {
        let own = RedisCheck.Role.own(region: region.name, servesVoice: region.listeners.voice != nil)
        let checks =
            [RedisCheck(region.redis, role: own, key: "redis")]
            + region.peers.enumerated().map { index, peer in
                RedisCheck(
                    peer.redis, role: .peer(region: peer.region, writer: region.name), key: "peers[\(index)].redis")
            }
        let survey = await withTaskGroup(of: (Int, RedisCheck.Outcome).self) { group in
            for (index, check) in checks.enumerated() {
                group.addTask { (index, await check.run(on: eventLoop)) }
            }
            return await group.reduce(into: [Int: RedisCheck.Outcome]()) { $0[$1.0] = $1.1 }
        }
        let outcomes = checks.indices.compactMap { survey[$0] }
        return (outcomes.flatMap(\.findings) + twice(checks, outcomes), survey[0]?.journaled)
    }

    /// Two addresses can be one server: a mirror into its own source would be refused, or worse.
    private func twice(_ checks: [RedisCheck], _ outcomes: [RedisCheck.Outcome]) -> [Finding] {
        var seen: [String: String] = [:]
        var findings: [Finding] = []
        for (check, outcome) in zip(checks, outcomes) {
            guard let runID = outcome.runID else { continue }
            if let other = seen[runID] {
                findings.append(
                    Finding(
                        .error, at: check.place, "identity", "is the same server as \(other)",
                        .words("Each region has a Redis of its own: correct \(check.key) in \(file).")))
            }
            seen[runID] = check.place
        }
        return findings
    }
}
