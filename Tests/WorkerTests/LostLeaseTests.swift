import Lease
import Observability
import RESP
import RedisClient
import ServerFixtures
import Testing

/// A worker of us-east whose ports are known.
private struct ServingWorker {
    let process: WorkerProcess
    let config: Int
    let voice: Int

    init(_ name: String, of region: WorkerRegion) throws {
        (config, voice) = (try freePort(), try freePort())
        var environment = region.environment
        environment["REGIONSYNC_LISTENERS_CONFIG_PORT"] = "\(config)"
        environment["REGIONSYNC_LISTENERS_VOICE_PORT"] = "\(voice)"
        process = try WorkerProcess(name, region: WorkerRegion.file, environment: environment, folder: region.folder)
    }

    /// Whether it holds the lease, captures, and listens on both ports.
    var isServing: Bool {
        get async {
            var states: [String: String] = [:]
            for report in await process.status()?.components ?? [] { states[report.component] = report.state.name }
            return states["lease"] == "holding" && states["capture"] == "streaming"
                && states["listener config"] == "listening" && states["listener voice"] == "listening"
        }
    }
}

@Suite("A worker that loses its lease", .serialized, .timeLimit(.minutes(8)))
struct LostLeaseTests {
    @Test("by its connection alone: clients stay, who waits goes on waiting, and what comes afterwards is told")
    func connectionKilled() async throws {
        try await WorkerRegion.with { region in
            let worker = try ServingWorker("killed", of: region)
            defer { worker.process.kill() }
            try await region.until("it serves") { await worker.isServing }
            let writer = try TextClient(port: worker.config)
            _ = try await written("first", through: writer, of: region)
            let watcher = try TextClient(port: worker.config)
            try await watch(through: watcher, in: region)
            let (reader, caller) = (try TextClient(port: worker.voice), try TextClient(port: worker.voice))
            try await region.until("events are taken") { try await caller.say(event("before")).hasPrefix("$") }
            #expect(try await caller.say("WAIT 1 60000") == ":1\r\n")
            // The peer takes nothing for a while, so that somebody waits for it over the loss.
            _ = try await region.west.send(RedisCommand("CLIENT", "PAUSE", "600000", "WRITE"))
            let waiting = try TextClient(port: worker.voice)
            #expect(try await waiting.say(event("between")).hasPrefix("$"))
            // What stands right before it is answered when it begins.
            waiting.send(["ECHO begins", "WAIT 1 0"])
            _ = try await waiting.read(upTo: "begins\r\n")
            try await region.park(reader)
            let lost = try #require(try await lease(of: region).connection)
            // One that is gone by itself is as good.
            _ = try? await region.east.send(RedisCommand("CLIENT", "KILL", "ID", "\(lost)")) as RedisReply
            try await region.until("it holds the lease anew") {
                let held = try await lease(of: region).connection
                guard held != nil, held != lost else { return false }
                return await worker.isServing
            }
            #expect(try !waiting.hasReceived("\r\n"))
            _ = try await region.west.send(RedisCommand("CLIENT", "UNPAUSE"))
            #expect(try await waiting.read(upTo: "\r\n") == ":1\r\n")

            _ = try await written("second", through: writer, of: region)
            try await region.until("the watcher is told") { try watcher.hasReceived("second") }
            #expect(try await caller.say(event("after")).hasPrefix("$"))
            try await region.until("the reader is told") { try reader.hasReceived("after") }
            #expect(try await caller.say("WAIT 1 60000") == ":1\r\n")
            try await worker.process.stop()
            let warnings = worker.process.lines.filter { $0.contains("level=warning") }
            #expect(warnings.contains { $0.contains("Lease changed state") })
        }
    }

    @Test("since Redis was killed: clients stay, objects in memory are read meanwhile, and all works again afterwards")
    func redisKilled() async throws {
        try await WorkerRegion.with(settings: ["appendonly yes", "appendfsync always"]) { region in
            let worker = try ServingWorker("bereft", of: region)
            defer { worker.process.kill() }
            try await region.until("it serves") { await worker.isServing }
            let client = try TextClient(port: worker.config)
            let (first, firstToken) = try await written("first", through: client, of: region)
            let watcher = try TextClient(port: worker.config)
            try await watch(through: watcher, in: region)
            let (reader, caller) = (try TextClient(port: worker.voice), try TextClient(port: worker.voice))
            try await region.until("events are taken") { try await caller.say(event("before")).hasPrefix("$") }
            #expect(try await caller.say("WAIT 1 60000") == ":1\r\n")
            try await region.park(reader)
            #expect(try await client.say("CFG.GET one skill \(first) AT \(firstToken) TIMEOUT 60000").contains("first"))
            // Word of the change itself may have kept it from being remembered.
            try await region.until("it is read from memory") {
                let hits = try await memoryHits(client)
                #expect(try await client.say("CFG.GET one skill \(first)").contains("first"))
                return try await memoryHits(client) > hits
            }

            await region.server.kill()
            try await region.until("the worker has noticed") {
                let states = await (worker.process.state(of: "lease"), worker.process.state(of: "config cache"))
                return states.0?.name == "waiting" && states.1?.name == "away"
            }
            try await region.until("its work has ended") { await worker.process.lacks("capture") }
            #expect(try await client.say("CFG.GET one skill \(first)").contains("first"))
            #expect(try await client.say("CFG.GET one skill 99999").hasPrefix("-UNAVAILABLE"))
            #expect(try await caller.say(event("meanwhile")).hasPrefix("-UNAVAILABLE"))
            try await region.until("it says that it listens") {
                await worker.process.state(of: "listener config")?.name == "listening"
            }

            try await region.server.start()
            try await region.until("it serves again") { await worker.isServing }
            let (second, token) = try await written("second", through: client, of: region)
            let read = try await client.say("CFG.GET one skill \(second) AT \(token) TIMEOUT 60000")
            #expect(read.contains("second"), "\(read)")
            try await region.until("the watcher is told") { try watcher.hasReceived("second") }
            try await region.until("events are taken") { try await caller.say(event("after")).hasPrefix("$") }
            try await region.until("the reader is told") { try reader.hasReceived("after") }
            #expect(try await caller.say("WAIT 1 60000") == ":1\r\n")
        }
    }

    @Test("to another worker: clients are cut off, and the ports are closed until it is back")
    func takenOver() async throws {
        try await WorkerRegion.with { region in
            let first = try ServingWorker("first", of: region)
            defer { first.process.kill() }
            try await region.until("the first serves") { await first.isServing }
            let client = try TextClient(port: first.config)
            #expect(try await client.say("PING") == "+PONG\r\n")
            let second = try ServingWorker("second", of: region)
            defer { second.process.kill() }
            try await region.until("the second stands by") {
                await second.process.state(of: "lease")?.name == "standby"
            }
            #expect(throws: TextClient.NotConnected.self) { try TextClient(port: second.config) }

            first.process.pause()
            try await region.until("the second serves") { await second.isServing }
            first.process.resume()
            try await region.until("the first hangs up") { client.isCutOff }
            try await region.until("the first is closed") { (try? TextClient(port: first.config)) == nil }
            try await region.until("the first stands by, and has nothing else") {
                await first.process.status()?.components.map(\.component) == ["lease", "redis", "worker"]
            }
            let other = try TextClient(port: second.config)
            _ = try await written("there", through: other, of: region)

            try await second.process.stop()
            try await region.until("the first serves again") { await first.isServing }
            let again = try TextClient(port: first.config)
            let (id, token) = try await written("here", through: again, of: region)
            #expect(try await again.say("CFG.GET one skill \(id) AT \(token) TIMEOUT 60000").contains("here"))
            try await first.process.stop()
        }
    }

    /// An event of a call of tenant `one`.
    private func event(_ call: String) -> String {
        #"XADD voice:one * event EventRinging key \#(call) data {"ThisDN":"1","ConnID":"\#(call)","CallType":2}"#
    }

    /// Makes a skill as soon as that can be done; its id and the write's token.
    private func written(
        _ name: String, through client: TextClient, of region: WorkerRegion
    ) async throws -> (id: String, token: String) {
        var answer = ""
        try await region.until("\(name) is written") {
            answer = try await client.say("CFG.PUT one skill NEW name \(name)")
            return answer.hasPrefix("*")
        }
        // Header and word of `id`, its value, the same of `token`.
        let lines = answer.split(separator: "\r\n").map { String($0) }
        let id = try #require(lines.firstIndex(of: "id"))
        let token = try #require(lines.firstIndex(of: "token"))
        try #require(lines.count > token + 2 && token > id)
        return (lines[token - 2], lines[token + 2])
    }

    /// Has a client told of every change from now on.
    private func watch(through watcher: TextClient, in region: WorkerRegion) async throws {
        try await region.until("it watches") {
            try await watcher.say("HELLO 3", "CFG.WATCH one").contains("position")
        }
    }

    /// How many objects the worker has read from memory.
    private func memoryHits(_ client: TextClient) async throws -> Int {
        let lines = try await client.say("INFO").split(separator: "\r\n")
        let hits = try #require(lines.first { $0.hasPrefix("cache_hits:") }?.split(separator: ":").last)
        return try #require(Int(hits))
    }

    private func lease(of region: WorkerRegion) async throws -> LeaseValue {
        LeaseValue(text: try await region.east.send(RedisCommand("GET", LeaseCommands.key)).string ?? "")
    }
}

extension WorkerRegion {
    /// Has a client read what comes from now on, and waits until the worker waits for that.
    func park(_ reader: TextClient) async throws {
        reader.send(["XREAD BLOCK 0 STREAMS voice:one $"])
        try await until("the reader is parked") {
            let list = try await east.send(RedisCommand("CLIENT", "LIST")).string ?? ""
            return list.split(separator: "\n").contains {
                $0.contains("name=regionsync-listeners-") && $0.contains("flags=b")
            }
        }
    }
}
