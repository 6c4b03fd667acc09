import Journal
import Projection
import RESP
import Simulation
import Testing
import Traffic

/// Draws commands that journals and copies could be given, most of which fit what is there.
private struct CommandSource {
    var random: SplitMix64
    let journals = [JournalName.voice(tenant: "1", origin: "a"), .provisioning(origin: "a"), .control(origin: "a")]
    var drawn = 0

    mutating func next(_ redis: SimulatedRedis) -> [RedisCommand] {
        drawn += 1
        let journal = journals[random.below(journals.count)]
        let stream = redis.stream(journal.key)
        let meta = Held(redis, journal)
        switch random.below(24) {
        case 0, 1: return [JournalFunctions.open(journal, birth: "m\(drawn)")]
        case 2: return [lineage(journal, stream, meta)]
        case 3: return [JournalFunctions.passed(journal, cursor: id(stream), limit: random.below(3))]
        case 4...9: return [append(journal, meta)]
        case 10:
            return [
                JournalFunctions.move(
                    Position(number: UInt64(random.below(2000))), of: journal, birth: birth(meta), last: last(meta))
            ]
        case 11:
            return [
                JournalFunctions.trim(
                    journal, minimum: max(id(stream), EntryID(first: 0, second: 1)), birth: birth(meta))
            ]
        case 12:
            return [
                JournalFunctions.behead(journal, by: 1 + random.below(3), birth: birth(meta), floor: meta.floor ?? "")
            ]
        case 13:
            return [JournalFunctions.note(missed: 3, known: meta.missed, by: "p", of: journal, birth: birth(meta))]
        case 14, 15: return [heal(journal, stream, meta)]
        case 16: return [reborn(journal, stream, meta)]
        case 17: return [adopt(journal, meta)]
        case 18, 19: return [fork(journal, stream, meta)]
        case 20, 21:
            return [RedisCommand("XADD", journal.key, above(stream).description, "w", "\(drawn)")]
        case 22:
            let field = "voice:a"
            return [RedisCommand("HSET", "rs:{\(journal.tenant)}:projection", field, id(stream).description)]
        default: return [rare(journal)]
        }
    }

    /// What is seldom: streams and metas that are gone, journals that are closed.
    private mutating func rare(_ journal: JournalName) -> RedisCommand {
        switch random.below(5) {
        case 0: RedisCommand("DEL", journal.key)
        case 1: RedisCommand("DEL", journal.metaKey)
        case 2: RedisCommand("HSET", journal.metaKey, "closed", "by hand")
        default: RedisCommand("HDEL", journal.metaKey, "closed")
        }
    }

    // MARK: Arguments

    private struct Held {
        let birth: String?
        let last: EntryID
        let floor: String?
        let missed: UInt64

        init(_ redis: SimulatedRedis, _ journal: JournalName) {
            let meta = if case .hash(let hash) = redis.values[journal.metaKey] { hash } else { [String: String]() }
            birth = meta["birth"]
            last = meta["last"].flatMap { EntryID($0) } ?? .zero
            floor = meta["floor"]
            missed = meta["missed:p"].flatMap { UInt64($0) } ?? 0
        }
    }

    private mutating func birth(_ meta: Held) -> String {
        random.chance(percent: 90) ? meta.birth ?? "" : "m\(random.below(drawn + 1))"
    }

    private mutating func last(_ meta: Held) -> EntryID {
        random.chance(percent: 90) ? meta.last : EntryID(first: UInt64(random.below(50)), second: 0)
    }

    /// An ID that may be there.
    private mutating func id(_ stream: SimulatedStream?) -> EntryID {
        let entries = stream?.entries ?? []
        let own = entries.isEmpty ? EntryID.zero : entries[random.below(entries.count)].id
        switch random.below(5) {
        case 0: return stream?.generated ?? .zero
        case 1: return EntryID(first: own.first + UInt64(random.below(3)), second: 0)
        case 2: return .zero
        default: return own
        }
    }

    private mutating func above(_ stream: SimulatedStream?) -> EntryID {
        let own = stream?.generated ?? .zero
        let id = EntryID(first: own.first + UInt64(random.below(4)), second: own.second + 1 - UInt64(random.below(2)))
        return max(id, EntryID(first: 0, second: 1))
    }

    private mutating func batch(behind previous: EntryID) -> EntryBatch? {
        var builder = EntryBatchBuilder(previous: previous)
        for _ in 0..<1 + random.below(3) {
            let id = EntryID(first: builder.last.first + UInt64(random.below(3)), second: UInt64(1 + random.below(3)))
            builder.append(id: id, fields: 1) {
                $0.append("n"); $0.append("\(id)")
            }
        }
        return builder.batch()
    }

    private mutating func append(_ journal: JournalName, _ meta: Held) -> RedisCommand {
        guard let batch = batch(behind: last(meta)) else { return RedisCommand("GET", "nothing") }
        let position = random.chance(percent: 30) ? Position(number: UInt64(random.below(2000))) : nil
        return JournalFunctions.append(batch, to: journal, birth: birth(meta), position: position)
    }

    private mutating func lineage(_ journal: JournalName, _ stream: SimulatedStream?, _ meta: Held) -> RedisCommand {
        JournalFunctions.lineage(
            journal, birth: "m\(drawn)", cursor: id(stream), peer: ["p", "q"][random.below(2)],
            copyBirth: "m\(random.below(drawn + 1))")
    }

    private mutating func heal(_ journal: JournalName, _ stream: SimulatedStream?, _ meta: Held) -> RedisCommand {
        let behind = random.chance(percent: 90) ? stream?.generated ?? .zero : id(stream)
        let entries = random.chance(percent: 80) ? batch(behind: behind) : nil
        let end = entries?.last ?? behind
        return JournalFunctions.heal(
            journal,
            with: Healing(
                birth: birth(meta), behind: behind, gap: UInt64(random.below(2) * random.below(9)),
                floor: random.chance(percent: 20) ? behind : nil,
                raise: random.chance(percent: 30)
                    ? EntryID(first: end.first + UInt64(random.below(3)), second: 0) : nil,
                former: random.chance(percent: 30) ? "m\(random.below(drawn + 1))" : nil),
            entries: entries)
    }

    private mutating func reborn(_ journal: JournalName, _ stream: SimulatedStream?, _ meta: Held) -> RedisCommand {
        let minimum = random.chance(percent: 50) ? above(stream) : nil
        return JournalFunctions.reborn(
            journal, Rebirth(birth: birth(meta), minimum: minimum, common: id(stream), parted: parted()),
            fresh: "m\(drawn)", peer: "p")
    }

    /// One of few, so that some come again.
    private func parted() -> PartedEntries? {
        guard drawn % 5 > 1 else { return nil }
        return PartedEntries(behind: .zero, through: EntryID(first: 1 + UInt64(drawn % 7), second: 0))
    }

    private mutating func adopt(_ journal: JournalName, _ meta: Held) -> RedisCommand {
        JournalFunctions.adopt(
            journal,
            Adoption(
                birth: "m\(drawn)", copyBirth: birth(meta), last: last(meta),
                count: random.chance(percent: 50) ? UInt64(random.below(5)) : nil))
    }

    private mutating func fork(_ journal: JournalName, _ stream: SimulatedStream?, _ meta: Held) -> RedisCommand {
        let keep = stream == nil || random.chance(percent: 40) ? EntryID.zero : min(id(stream), meta.last)
        return JournalFunctions.fork(
            journal,
            Fork(
                cause: "tail-lost", copyBirth: birth(meta), last: last(meta),
                floor: meta.floor.flatMap { EntryID($0) } ?? .zero, common: id(stream), keep: keep,
                count: keep == .zero || random.chance(percent: 50) ? UInt64(random.below(9)) : nil,
                lost: random.chance(percent: 50) ? UInt64(random.below(9)) : nil, parted: parted()),
            birth: "m\(drawn)")
    }
}

@Suite("The simulated Redis answers and becomes what a real one does", .serialized)
struct SimulatedRedisTests {
    @Test("by seed, whatever journals and copies are asked to do")
    func journals() async throws {
        try await RealRedis.with { real in
            for seed in 0..<40 {
                _ = try await real.run("FLUSHDB")
                var source = CommandSource(random: SplitMix64(seed: UInt64(seed)))
                var model = SimulatedRedis()
                for _ in 0..<120 {
                    for command in source.next(model) {
                        guard try await isAlike(command, &model, real, "seed \(seed)") else { return }
                    }
                }
                #expect(try await real.values() == model.values, "seed \(seed)")
            }
        }
    }

    @Test("by seed, whatever the parts of a worker ask of their own Redis and their peers' in a schedule")
    func schedules() async throws {
        try await RealRedis.with { real in
            for seed in 0..<UInt64(16) {
                _ = try await real.run("FLUSHDB")
                var plan = Plan(seed: seed)
                plan.hasProvisioning = true
                plan.recordedRegion = Int(seed) % plan.regions
                var world = World(plan)
                world.run()
                var model = SimulatedRedis()
                for command in world.recorded {
                    guard try await isAlike(command, &model, real, "seed \(seed)") else { return }
                }
                #expect(world.recorded.count > 100)
                #expect(try await real.values() == model.values, "seed \(seed)")
            }
        }
    }

    @Test("an ID that the server draws is above all before it, also those that are gone, wherever its clock is")
    func clockBehind() async throws {
        try await RealRedis.with { real in
            let journal = JournalName.voice(tenant: "1", origin: "a")
            let drawn = RedisCommand("XADD", journal.key, "*", "w", "drawn")
            var model = SimulatedRedis()
            for command in [
                JournalFunctions.open(journal, birth: "m"),
                RedisCommand("XADD", journal.key, "4102444800000-7", "w", "of the year 2100"), drawn, drawn,
                JournalFunctions.behead(journal, by: 3, birth: "m", floor: "0-0"), drawn,
            ] {
                guard try await isAlike(command, &model, real, "behind") else { return }
            }
            #expect(model.stream(journal.key)?.generated == EntryID("4102444800000-10"))
            #expect(try await real.values() == model.values)
        }
    }

    /// Whether both answer a command alike.
    private func isAlike(
        _ command: RedisCommand, _ model: inout SimulatedRedis, _ real: RealRedis, _ place: String
    ) async throws -> Bool {
        let words = SimulatedRedis.words(of: command)
        let own: Result<StoreReply, StoreFailure>
        do throws(StoreFailure) { own = .success(try model.run(command)) } catch { own = .failure(error) }
        let theirs = try await real.run(command)
        let answers = (
            own.map { $0.normal(for: words, isModel: true) }, theirs.map { $0.normal(for: words, isModel: false) }
        )
        #expect(answers.0 == answers.1, "\(words.prefix(12).joined(separator: " ")) \(place)")
        return answers.0 == answers.1
    }
}
