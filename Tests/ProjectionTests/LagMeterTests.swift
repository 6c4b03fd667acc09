import Journal
import Projection
import Testing

@Suite("How many entries are not in state yet", .serialized)
struct LagMeterTests {
    private let voice = JournalName.voice(tenant: "101", origin: "us-east")

    private func progress(_ folded: UInt64, at cursor: UInt64 = 0) -> JournalProgress {
        JournalProgress(voice, cursor: EntryID(first: cursor, second: 0), folded: folded)
    }

    @Test("unknown until it was counted once; then what is folded is counted, and corrected near the end")
    func transcript() {
        var meter = LagMeter()
        #expect(meter.lag == nil)
        #expect(meter.asked(of: [progress(0)]) == [progress(0)])
        meter.answered(progress(0), passed: nil, added: 1000)
        #expect(meter.lag == nil)
        meter.answered(progress(500), passed: nil, added: 1000)
        #expect(meter.lag == nil)
        meter.answered(progress(600), passed: 1100, added: 1150)
        #expect(meter.lag == 50)
        meter.answered(progress(700), passed: nil, added: 9000)
        #expect(meter.lag == 7800)
        // Somebody removed a hundred that were never read.
        meter.answered(progress(8400), passed: 9000, added: 9000)
        #expect(meter.lag == 0)
        meter.answered(progress(8500), passed: nil, added: 9500)
        #expect(meter.lag == 400)
    }

    @Test("asked is only about what moved, lags or was never asked; a stream that is not there has no lag")
    func questions() {
        var meter = LagMeter()
        meter.unanswered(progress(0), isAbsent: true)
        #expect(meter.lag == 0)
        #expect(meter.asked(of: [progress(0)]).isEmpty)
        #expect(meter.asked(of: [progress(3)]) == [progress(3)])
        meter.answered(progress(3), passed: nil, added: 5)
        #expect(meter.lag == 2)
        #expect(meter.asked(of: [progress(3)]) == [progress(3)])
        meter.unanswered(progress(3), isAbsent: false)
        #expect(meter.lag == nil)
        var always = LagMeter(asksAlways: true)
        always.unanswered(progress(0), isAbsent: true)
        #expect(always.asked(of: [progress(0)]) == [progress(0)])
    }

    @Test("a journal that is followed no more has no lag, and is counted anew when it is taken on again")
    func forgets() {
        let other = JournalProgress(.voice(tenant: "101", origin: "eu-west"), cursor: .zero, folded: 0)
        var meter = LagMeter()
        meter.answered(progress(3), passed: 3, added: 10)
        meter.unanswered(other, isAbsent: true)
        #expect(meter.lag == 7)
        meter.follows([other])
        #expect(meter.lag == 0)
        meter.follows([other, progress(0)])
        meter.answered(progress(0), passed: nil, added: 10)
        #expect(meter.lag == nil)
    }

    @Test("on a real stream that was cut: what lies beyond is no lag, and what comes when that is over is counted")
    func cut() async throws {
        try await withRedis { redis in
            try redis.loadFunctions()
            let west = JournalName.voice(tenant: "101", origin: "eu-west")
            func add(_ numbers: ClosedRange<Int>) throws {
                for number in numbers { try redis("XADD", voice.key, "\(number)-0", "f", "v") }
            }
            try add(1...10)
            try redis("HSET", "rs:{101}:projection", "cut:voice:us-east", "4-0 4")
            var fold = VoiceFold(region: "eu-west", recordTime: .seconds(600))
            var meter = LagMeter()
            try await fold.follow([voice, west], from: redis)
            func lag() async throws -> Int64? {
                try await meter.measure(fold.progress, through: redis)
                return meter.lag
            }
            func project() async throws {
                for read in try await redis.read(behind: fold.wanted, patience: .zero) { try fold.read(read) }
                try await fold.project(into: redis)
            }
            #expect(try await lag() == 10)
            try await project()
            #expect(fold.ended == [voice])
            #expect(try await lag() == 0)
            try add(11...20)
            for _ in 0..<2 {
                try await fold.follow(fold.ended, from: redis)
                #expect(try await lag() == 0)
            }
            // As a region that rejoins leaves it.
            try redis("HSET", "rs:{101}:projection", "voice:us-east", "20-0")
            try redis("HDEL", "rs:{101}:projection", "cut:voice:us-east")
            try add(21...23)
            try await fold.follow(fold.ended, from: redis)
            #expect(try await lag() == 3)
            try await project()
            #expect(try await lag() == 0)
        }
    }

    @Test("nonsense from a server does not end the worker")
    func nonsense() {
        var meter = LagMeter()
        for passed in [Int64.min, .max, 0, nil] {
            for added in [Int64.min, .max, 0] {
                meter.answered(progress(.max), passed: passed, added: added)
                meter.answered(progress(0), passed: passed, added: added)
                #expect(meter.lag.map { $0 >= 0 } ?? true)
            }
        }
    }

    @Test("on a real stream: with nothing older left, batch by batch to its end, and anew behind a restart")
    func stream() async throws {
        try await withRedis { redis in
            try redis.loadFunctions()
            for number in 1...1200 {
                try redis(
                    "XADD", voice.key, "\(number)-0", "event", "EventAgentLogin", "key", "a\(number)", "data",
                    #"{"ThisDN":"1"}"#)
            }
            var fold = VoiceFold(region: "us-east", recordTime: .seconds(600))
            var meter = LagMeter()
            try await fold.follow([voice, .voice(tenant: "101", origin: "eu-west")], from: redis)
            var lags: [Int64?] = []
            while true {
                try await meter.measure(fold.progress, through: redis)
                lags.append(meter.lag)
                if lags.count == 2 { try redis("XDEL", voice.key, "1100-0", "1101-0") }
                if lags.count == 3 { try redis("XADD", voice.key, "*", "f", "v") }
                let reads = try await redis.read(behind: fold.wanted, patience: .zero)
                if reads.isEmpty { break }
                for read in reads { try fold.read(read) }
                try await fold.project(into: redis)
            }
            #expect(lags == [1200, 700, 200, 0])
            // Behind a restart: unknown while far from the end with older entries there.
            for number in 1...100 { try redis("XADD", voice.key, "*", "f", "\(number)") }
            var next = VoiceFold(region: "us-east", recordTime: .seconds(600))
            var other = LagMeter()
            try await next.follow([voice], from: redis)
            try await other.measure(next.progress, through: redis)
            #expect(other.lag == nil)
            for read in try await redis.read(behind: next.wanted, patience: .zero) { try next.read(read) }
            try await next.project(into: redis)
            try redis("XADD", voice.key, "*", "f", "v")
            try await other.measure(next.progress, through: redis)
            #expect(other.lag == 1)
            try redis("DEL", voice.key)
            try redis("SET", voice.key, "text")
            try await other.measure(next.progress, through: redis)
            #expect(other.lag == nil)
        }
    }
}
