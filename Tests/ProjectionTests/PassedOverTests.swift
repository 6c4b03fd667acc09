import Journal
import Logging
import Observability
import Synchronization
import Testing

@testable import Projection

@Suite("Entries that are passed over", .serialized)
struct PassedOverTests {
    @Test("the first one since it was asked for is named: voice")
    func voice() async throws {
        let journal = JournalName.voice(tenant: "101", origin: "us-east")
        try await withRedis { redis in
            try redis.loadFunctions()
            var fold = VoiceFold(region: "us-east", recordTime: .seconds(600))
            try await fold.follow([journal], from: redis)
            for (entry, last) in [("1-1", "1-2"), ("2-1", "2-2")] {
                try redis("XADD", journal.key, entry, "hello", "world")
                try redis("XADD", journal.key, last, "hello", "world")
                for read in try await redis.read(behind: fold.wanted, patience: .zero) { try fold.read(read) }
                try await fold.project(into: redis)
                let (taken, next) = (fold.takeFirstUnreadable(), fold.takeFirstUnreadable())
                let first = try #require(taken)
                #expect(first.journal == journal && first.entry == EntryID(entry))
                #expect(next == nil)
            }
        }
    }

    @Test("the first one since it was asked for is named: provisioning")
    func provisioning() async throws {
        let journal = JournalName.provisioning(origin: "us-east")
        try await withRedis { redis in
            var fold = ProvisioningFold(
                journals: [journal], layouts: IndexLayouts(Script.catalog), trailing: Position(number: 1), cursors: [:])
            for id in ["10-1", "10-2"] { try redis("XADD", journal.key, id, "hello", "world") }
            for read in try await redis.read(behind: fold.wanted, patience: .zero) { try fold.read(read) }
            while fold.nextAction() != nil {}
            let (taken, next) = (fold.takeFirstUnreadable(), fold.takeFirstUnreadable())
            let first = try #require(taken)
            #expect(first.journal == journal && first.entry == EntryID("10-1"))
            #expect(next == nil)
        }
    }

    @Test("the log names journal and entry")
    func log() {
        let lines = LoggedText()
        let logger = LogOutput(format: .logfmt, level: .info, write: { lines.append($0) }).logger("projection")
        let report = ProjectionReport(states: ComponentStates(), metrics: MetricsRegistry(), logger: logger)
        let journal = JournalName.voice(tenant: "101", origin: "us-east")
        report.unreadable(
            2, first: PassedOver(journal: journal, entry: EntryID(first: 7, second: 1)), component: "projection voice")
        #expect(lines.text.contains(#"entry.id=7-1 journal=rs:{101}:voice:us-east"#))
    }
}

/// Keeps what was logged.
private final class LoggedText: Sendable {
    private let bytes = Mutex<[UInt8]>([])

    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }

    func append(_ line: [UInt8]) { bytes.withLock { $0 += line } }
}
