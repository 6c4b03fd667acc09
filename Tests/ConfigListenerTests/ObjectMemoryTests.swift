import NIOCore
import Observability
import RESP
import Testing
import Traffic

@testable import ConfigListener

@Suite("Memory of objects")
struct ObjectMemoryTests {
    @Test("Nothing is answered whose change has been told of, whatever overtakes what", arguments: UInt64(0)..<200)
    func neverOld(seed: UInt64) {
        var world = TrackingWorld(seed: seed, limit: seed % 2 == 0 ? 1 << 20 : 20 * RememberedObjects.overhead)
        for _ in 0..<2000 { world.step() }
        world.settle()
    }

    @Test("A read that a change has overtaken is not kept, one that began behind it is")
    func overtaken() {
        let memory = ObjectMemory(limit: 1 << 20)
        let address = ObjectAddress(tenant: 1, type: "person", id: "7")
        let before = memory.beginFill(of: address)
        memory.invalidate(.keys([ByteBuffer(string: "cfg:{1}:person:7")]))
        let behind = memory.beginFill(of: address)
        memory.finish(before, with: .integer(1), size: 8)
        #expect(memory.reply(1, "person", "7") == nil)
        memory.finish(behind, with: .integer(2), size: 8)
        #expect(memory.reply(1, "person", "7") == .integer(2))
        let last = memory.beginFill(of: address)
        memory.forgetAll()
        memory.finish(last, with: .integer(3), size: 8)
        #expect(memory.reply(1, "person", "7") == nil)
    }

    @Test("A read that failed keeps nothing and hinders no other")
    func abandoned() {
        let memory = ObjectMemory(limit: 1 << 20)
        let address = ObjectAddress(tenant: 1, type: "person", id: "7")
        let (one, other) = (memory.beginFill(of: address), memory.beginFill(of: address))
        memory.abandon(one)
        memory.finish(one, with: .integer(1), size: 8)
        #expect(memory.reply(1, "person", "7") == nil)
        memory.finish(other, with: .null, size: 0)
        #expect(memory.reply(1, "person", "7") == .null)
        #expect(memory.usage.hits == 1 && memory.usage.misses == 1)
    }

    @Test("A scrape tells what there is of it, and does not keep it alive")
    func metrics() {
        let registry = MetricsRegistry()
        weak var gone: ObjectMemory?
        do {
            let memory = ObjectMemory(limit: 1 << 20)
            gone = memory
            memory.install(in: registry)
            memory.finish(
                memory.beginFill(of: ObjectAddress(tenant: 1, type: "person", id: "7")), with: .null, size: 100)
            _ = memory.reply(1, "person", "7")
            let samples = registry.snapshot()
            #expect(samples.number(.configCacheObjects) == 1)
            #expect(samples.number(.configCacheBytes) == Double(memory.usage.bytes))
            #expect(samples.number(.configCacheReads, [.result: "hit"]) == 1)
            #expect(samples.number(.configCacheReads, [.result: "miss"]) == 0)
        }
        #expect(gone == nil)
        #expect(registry.snapshot().number(.configCacheObjects) == nil)
    }
}

extension ObjectMemory {
    func reply(_ tenant: Int64, _ type: String, _ id: String) -> Reply? {
        let request = Request(type, id)
        return request.withBytes(0) { type in
            request.withBytes(1) { id in reply(tenant: tenant, type: type, id: id) }
        }
    }
}

/// A server that names what has changed of what was read, and a memory that hears of it late.
private struct TrackingWorld {
    private struct Read {
        let fill: ObjectMemory.Fill
        let object: Int
        /// What the server answered; nil before it has.
        var version: Int?
    }

    private static let objects = 30

    private let memory: ObjectMemory
    private let seed: UInt64
    private var random: SplitMix64
    private var versions = Array(repeating: 0, count: TrackingWorld.objects)
    private var tracked: Set<Int> = []
    private var told: [CacheInvalidation] = []
    private var reads: [Read] = []
    /// Whether the session with the server has ended, so that nothing is told any more.
    private var isCut = false

    init(seed: UInt64, limit: Int) {
        self.seed = seed
        random = SplitMix64(seed: seed)
        memory = ObjectMemory(limit: limit)
    }

    mutating func step() {
        let object = Int.random(in: 0..<Self.objects, using: &random)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<25: reads.append(Read(fill: memory.beginFill(of: address(object)), object: object))
        case 25..<45: answer()
        case 45..<60: finish()
        case 60..<70: change([object])
        case 70..<71: change(Array(0..<Self.objects))
        case 71..<80: tell()
        case 80..<81: isCut = true
        case 81..<83 where isCut: reconnect()
        default: look(object)
        }
        #expect(memory.usage.bytes <= memory.usage.limit, "seed \(seed)")
    }

    /// All that is on its way arrives; then everything can be remembered, as it is now.
    mutating func settle() {
        if isCut { reconnect() }
        while reads.contains(where: { $0.version == nil }) { answer() }
        while !reads.isEmpty { finish() }
        while !told.isEmpty { tell() }
        for object in 0..<Self.objects {
            reads.append(Read(fill: memory.beginFill(of: address(object)), object: object))
            answer()
            finish()
            #expect(remembered(object) == versions[object], "seed \(seed)")
            look(object)
        }
    }

    private func address(_ object: Int) -> ObjectAddress {
        ObjectAddress(tenant: Int64(object % 2), type: object % 3 == 0 ? "dn" : "dnx", id: "\(object)")
    }

    private func key(_ object: Int) -> ByteBuffer {
        ByteBuffer(string: "cfg:{\(object % 2)}:\(object % 3 == 0 ? "dn" : "dnx"):\(object)")
    }

    private func remembered(_ object: Int) -> Int? {
        let reply = memory.reply(Int64(object % 2), object % 3 == 0 ? "dn" : "dnx", "\(object)")
        if case .integer(let version)? = reply { return Int(version) }
        return nil
    }

    private func look(_ object: Int) {
        guard let version = remembered(object) else { return }
        let isToldOf = told.contains { $0 == .all || $0 == .keys([key(object)]) }
        #expect(version == versions[object] || isToldOf || isCut, "seed \(seed)")
    }

    /// The server answers the oldest read that it has not.
    private mutating func answer() {
        guard let index = reads.firstIndex(where: { $0.version == nil }) else { return }
        reads[index].version = versions[reads[index].object]
        if !isCut { tracked.insert(reads[index].object) }
    }

    /// Any answer is taken up, in whatever order.
    private mutating func finish() {
        let answered = reads.indices.filter { reads[$0].version != nil }
        guard let index = answered.randomElement(using: &random) else { return }
        let read = reads.remove(at: index)
        memory.finish(read.fill, with: .integer(Int64(read.version ?? 0)), size: 100)
    }

    private mutating func change(_ objects: [Int]) {
        for object in objects { versions[object] += 1 }
        let known = objects.filter { tracked.remove($0) != nil }
        guard !isCut, !known.isEmpty else { return }
        told.append(objects.count == 1 ? .keys(known.map { key($0) }) : .all)
    }

    private mutating func tell() {
        guard !told.isEmpty else { return }
        memory.invalidate(told.removeFirst())
    }

    /// A new session: nothing of the old one is told any more.
    private mutating func reconnect() {
        told = []
        tracked = []
        isCut = false
        memory.forgetAll()
    }
}
