internal import Failover
internal import Journal
internal import Observability
internal import PostgresClient
internal import Projection
internal import RESP
internal import RedisClient
internal import RegionConfig
internal import Verification

/// The surviving region as a failover sees it: its Redis and its worker.
struct RedisFailoverRegion: FailoverRegion {
    let region: Region
    /// The server that is promoted.
    let database: PostgresOptions
    /// This run among others, where it reserves something.
    private let run = String(UInt64.random(in: .min ... .max), radix: 16)

    init(region: Region, database: PostgresOptions) {
        self.region = region
        self.database = database
    }

    /// How long the projection may take for what is at hand.
    static let projectionPatience = Duration.seconds(60)

    /// How long a region that lives may take to be heard again: its links knock twice a second, and where they have to
    /// connect first, that long. Only silence that was waited for counts: that its Redis cannot be reached from here
    /// says as little of it as of the network between.
    private static let signPatience = Duration.milliseconds(1500)

    private static func at<Answer>(
        _ region: Region, _ body: (SurvivorRedis) async throws(FailoverFailure) -> Answer
    ) async throws(FailoverFailure) -> Answer {
        let redis = try await SurvivorRedis.connect(region)
        defer { redis.close() }
        return try await body(redis)
    }

    // MARK: Looking

    func holding(of down: String?) async throws(FailoverFailure) -> FoundHolding {
        try await Self.at(region) { redis throws(FailoverFailure) in
            let provisioning = try await redis.ask(
                ([region.name] + region.peers.map(\.region)).map {
                    RedisCommand("XREVRANGE", JournalName.provisioning(origin: $0).key, "+", "-", "COUNT", "1")
                })
            let histories = provisioning.compactMap { $0[0]?[0]?.string.flatMap { EntryID($0) } }
                .map { Position(number: $0.first).history }
            let history = max(histories.max() ?? 0, try await redis.provisioned().history)
            guard let down else {
                return FoundHolding(heard: nil, voice: 0, journals: 0, history: history, declared: nil)
            }
            let voice = try await redis.voice(of: down)
            let known = try await redis.ask(
                "HMGET", ProjectionKeys.trailing, ProjectionKeys.heard(origin: down), ProjectionKeys.down(region: down))
            return FoundHolding(
                heard: try await heard(known[0]?.string.flatMap { RegionHeard($0) }, from: down, redis),
                voice: voice.reduce(0) { $0 &+ $1.count }, journals: voice.count { $0.count > 0 }, history: history,
                declared: known[1]?.string.flatMap { $0.split(separator: " ").first }.flatMap { UInt64($0) })
        }
    }

    private func heard(
        _ heard: RegionHeard?, from down: String, _ redis: SurvivorRedis
    ) async throws(FailoverFailure) -> FoundHolding.Heard? {
        guard let heard else { return nil }
        let answers = try await redis.ask([
            RedisCommand("TIME"),
            RedisCommand("XREVRANGE", JournalName.control(origin: down).key, "+", "-", "COUNT", "600"),
        ])
        let time = answers[0].elements.compactMap { $0.string.flatMap { Int64($0) } }
        guard time.count == 2 else { return nil }
        var rate = ProbeRate()
        for entry in answers[1].elements { rate.take(entry, to: region.name) }
        return FoundHolding.Heard(
            age: .milliseconds(time[0] &* 1000 &+ time[1] / 1000 &- heard.time), voice: heard.heartbeat.voice,
            rate: rate.highest)
    }

    func lives(_ down: String) async throws(FailoverFailure) -> Bool {
        try await Self.at(region) { redis throws(FailoverFailure) in
            let before = try await signs(of: down, redis)
            let deadline = ContinuousClock.now + Self.signPatience
            while ContinuousClock.now < deadline {
                if try await signs(of: down, redis) != before { return true }
                do { try await Task.sleep(for: .milliseconds(20)) } catch { throw .failed("it was interrupted") }
            }
            return false
        }
    }

    /// What a region that lives changes here: its links leave a knock every half second, and once a second a probe comes
    /// with its control journal. Probes wait for what was written before, knocks do not.
    private func signs(of down: String, _ redis: SurvivorRedis) async throws(FailoverFailure) -> [String?] {
        let answers = try await redis.ask([
            RedisCommand("GET", knockKey(from: down)),
            RedisCommand("XREVRANGE", JournalName.control(origin: down).key, "+", "-", "COUNT", "1"),
        ])
        return [answers[0].string, answers[1][0]?[0]?.string]
    }

    func others(besides down: String) async -> [FoundOther] {
        await OtherRegions(region: region, down: down).look()
    }

    func worker() async throws(FailoverFailure) -> FoundWorker {
        let status = try await status()
        return FoundWorker(region: status.region, waitingFor: status.waitingFor)
    }

    // MARK: Steps

    /// Another run of this region goes on with what one has reserved that was cut off.
    private var reservation: HistoryReservation {
        HistoryReservation(region: region, holder: "\(region.name)/\(run)")
    }

    func reserve(_ number: UInt64, at others: [String]) async throws(FailoverFailure) {
        try await reservation.reserve(number, among: others)
    }

    func release(at others: [String], keepsNumber: Bool) async throws(FailoverFailure) {
        try await reservation.release(among: others, keepsNumber: keepsNumber)
    }

    func level(_ down: String, with others: [String]) async throws(FailoverFailure) -> [LevelledRegion] {
        try await OtherRegions(region: region, down: down).level(with: others)
    }

    func drain(_ down: String) async throws(FailoverFailure) -> Int {
        try await Self.at(region) { redis throws(FailoverFailure) in
            let goal = try await closedPosition(of: down, redis)
            let behind = try await redis.voice(of: down).filter(\.isBehind)
            let isProvisioningBehind = try await redis.provisioned() < goal
            try await redis.wait(
                Self.projectionPatience,
                orFail: "the worker does not project what is here of \(down): regionsync status says why"
            ) { () throws(FailoverFailure) in
                guard try await redis.provisioned() >= goal else { return false }
                // A region that lives goes on writing: what was here when the step began is enough.
                let now = try await redis.voice(of: down)
                return behind.allSatisfy { goal in
                    now.first { $0.tenant == goal.tenant }.map { $0.projected >= goal.end } ?? true
                }
            }
            return behind.count + (isProvisioningBehind ? 1 : 0)
        }
    }

    /// The position of the last transaction of a region's provisioning journal that is whole.
    private func closedPosition(of down: String, _ redis: SurvivorRedis) async throws(FailoverFailure) -> Position {
        var end = "+"
        // The last one may be cut off, and so may a few before it, each by the end of a stream.
        for _ in 0..<16 {
            let reply = try await redis.ask(
                "XREVRANGE", JournalName.provisioning(origin: down).key, end, "-", "COUNT", "1")
            guard let entry = reply[0], let id = entry[0]?.string.flatMap({ EntryID($0) }) else { return .zero }
            let words = entry[1]?.elements.compactMap(\.string) ?? []
            let operation = words.firstIndex(of: "op").flatMap { words.indices.contains($0 + 1) ? words[$0 + 1] : nil }
            if operation == "commit" || operation == "end-snapshot" { return Position(number: id.first) }
            end = "(\(id.first)-0"
        }
        return .zero
    }

    func serves(history: UInt64) async throws(FailoverFailure) {
        try await Self.at(region) { redis throws(FailoverFailure) in
            // Looks in a row at which the worker was away, or capture stood still.
            var stopped = 0
            // A snapshot may be large: as long as the worker is at it, it is waited for.
            try await redis.wait(.seconds(3600), pause: .milliseconds(50), orFail: "the snapshot takes too long") {
                () throws(FailoverFailure) in
                let status: WorkerStatus
                do throws(FailoverFailure) { status = try await self.status() } catch {
                    stopped += 1
                    if stopped > 100 { throw error }
                    return false
                }
                let state = status.components.first { $0.component == "capture" }?.state
                // A worker that was killed in between asks its peers, of which one is dead.
                stopped = state?.health == .stopped || state?.name == "awaiting-peer" ? stopped + 1 : 0
                if stopped > 100 {
                    throw .failed("capture stands still: \(state?.reason ?? ""); \(state?.advice ?? "")")
                }
                // The worker itself begins another history when the server was promoted once more.
                guard state?.name == "streaming",
                    let captured = status.capture?.historyNumber.flatMap({ UInt64(exactly: $0) }),
                    captured >= history
                else { return false }
                return try await redis.provisioned().history >= captured
            }
        }
    }

    private func status() async throws(FailoverFailure) -> WorkerStatus {
        switch await StatusReader.read(host: region.admin.host, port: region.admin.port) {
        case .status(let status): return status
        case .notRunning(let reason), .unreadable(let reason): throw .unavailable(reason)
        }
    }

    func declare(_ down: String, history: UInt64) async throws(FailoverFailure) -> DeclaredCut {
        try await Self.at(region) { redis throws(FailoverFailure) in
            try await RegionDeclaration(region: region.name, down: down, history: history, redis: redis).run()
        }
    }

    func closeOrphans(of down: String, history: UInt64) async throws(FailoverFailure) -> ClosedOrphans {
        try await Self.at(region) { redis throws(FailoverFailure) in
            try await OrphanAppending(region: region.name, down: down, history: history, redis: redis).run()
        }
    }

    func returning() async throws(FailoverFailure) -> FoundReturn {
        try await Self.at(region) { redis throws(FailoverFailure) in
            try await RegionReturn(region: region, run: run, redis: redis).found()
        }
    }

    func rejoin(history: UInt64, captures: Bool) async throws(FailoverFailure) -> RejoinedJournals {
        try await Self.at(region) { redis throws(FailoverFailure) in
            try await RegionReturn(region: region, run: run, redis: redis)
                .rejoin(history: history, captures: captures)
        }
    }

    func unreserve(keepsNumber: Bool) async throws(FailoverFailure) {
        try await RegionReturn.unreserve(region, run: run, keepsNumber: keepsNumber)
    }

    func verify(_ down: String?) async throws(FailoverFailure) -> FailoverChecks {
        try await Self.at(region) { redis throws(FailoverFailure) -> FailoverChecks in
            var checks = try await SurvivorVerification(
                region: region, database: database, down: down, redis: redis
            ).run()
            if let down {
                checks.beyondCutElsewhere = try await OtherRegions(region: region, down: down).beyondCut(of: redis)
            }
            return checks
        }
    }
}

extension ProbeRate {
    /// Takes the next older entry of a control journal; only probes to `peer` that tell of voice entries count. Their times
    /// come from one clock, so their differences hold.
    fileprivate mutating func take(_ entry: RedisReply, to peer: String) {
        let words = entry[1]?.elements.compactMap(\.string) ?? []
        let fields = Dictionary(
            stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) }, uniquingKeysWith: { $1 })
        guard fields["event"] == "probe", fields["key"] == peer, let voice = fields["voice"].flatMap({ UInt64($0) }),
            let time = entry[0]?.string.flatMap({ EntryID($0) })?.first
        else { return }
        take(time: time, voice: voice)
    }
}
