import Capture
import Journal
import Logging
import Observability
import PGOutput
import Synchronization
import Testing

/// PostgreSQL with a slot whose stream brings one chunk and then nothing ever again.
private final class OneChunkSource: CaptureSource, ReplicationStream {
    private let chunk: Mutex<ReplicationChunk?>

    init(_ messages: [[UInt8]]) {
        var bytes: [UInt8] = []
        var ranges: [Range<Int>] = []
        for message in messages {
            let start = bytes.count
            bytes += WireBytes.message("w") {
                $0.integer(UInt64(60))
                $0.integer(UInt64(200))
                $0.integer(Int64(1_000))
            }
            bytes += message
            ranges.append(start..<bytes.count)
        }
        chunk = Mutex(ReplicationChunk(bytes: bytes, messages: ranges, isDrained: true))
    }

    func look(journal: JournalState) -> CaptureFound {
        CaptureFound(
            region: "r", publicationName: "p", slotName: "s", isInRecovery: false, walLevel: "logical", systemID: "1",
            timeline: 1, database: "d", flushed: LSN(500), hasHistoryTable: true,
            history: .init(number: 1, systemID: "1", timeline: 1, captureRegion: "r"), tables: [],
            publication: .init(publishes: ["insert", "update", "delete", "truncate"], tables: []),
            slot: .init(plugin: "pgoutput", database: "d", confirmed: LSN(50)), journal: journal)
    }

    func beginHistory(_ number: UInt64, after newest: UInt64) {}
    func createPublication() {}
    func snapshot(dropsSlot: Bool, all: Bool, sink: SnapshotSink) {}
    func stream(from lsn: LSN) -> any ReplicationStream { self }
    func survey() -> CaptureSurvey? { nil }
    func slotHealth() -> SlotHealth? { nil }

    func receive() async throws(CaptureFailure) -> ReplicationChunk {
        if let chunk = chunk.withLock({ $0.take() }) { return chunk }
        let (never, _) = AsyncStream<Never>.makeStream()
        for await _ in never {}
        throw .unavailable("cancelled")
    }

    func report(received: LSN, confirmed: LSN) {}
    func close() {}
}

/// A journal that takes everything and shows what.
private struct ShowingJournal: CaptureJournal {
    let appended: AsyncStream<CaptureBatch>.Continuation

    func newestHistory() -> UInt64? { 1 }
    func open() -> JournalState { JournalState(birth: "b", last: .zero, position: Position(history: 1, lsn: 50)) }

    func append(
        _ batch: CaptureBatch, birth: String, completion: @escaping @Sendable (Result<Void, Refusal>) -> Void
    ) {
        appended.yield(batch)
        completion(.success(()))
    }

    func acceptForeign() -> ForeignEntries? { nil }
    func note(shown: String, birth: String) {}
    func settlingTime() -> Duration { .zero }
}

@Suite("Capture's loop")
struct CaptureDriverTests {
    @Test("what was encoded last is appended and told at once, though nothing comes after it", .timeLimit(.minutes(1)))
    func appendsTheLast() async throws {
        let source = OneChunkSource([
            WireBytes.begin(150), WireBytes.relation(1, "person", ["tenant_dbid", "dbid"]),
            WireBytes.insert(1, ["101", "7"]), WireBytes.commit(150, end: 160),
        ])
        let (batches, appended) = AsyncStream<CaptureBatch>.makeStream()
        let (positions, captured) = AsyncStream<Position>.makeStream()
        var settings = Capture.Settings()
        // No timer helps.
        settings.machine.reportInterval = .seconds(86_400)
        settings.machine.idleInterval = .seconds(86_400)
        settings.machine.probeInterval = .seconds(86_400)
        settings.sampleInterval = .seconds(86_400)
        let states = ComponentStates()
        let capture = Capture(
            catalog: EncoderBench.catalog, source: source, journal: ShowingJournal(appended: appended),
            settings: settings, metrics: CaptureMetrics(MetricsRegistry(), catalog: EncoderBench.catalog),
            states: states, logger: Logger(label: "capture"), captured: { captured.yield($0) })
        await withTaskGroup { group in
            group.addTask { await capture.run() }
            var iterator = batches.makeAsyncIterator()
            let first = await iterator.next()
            #expect(first?.entries?.count == 2)
            #expect(first?.position == Position(history: 1, lsn: 160))
            // PostgreSQL's log ended further on before.
            #expect(states.state(of: Capture.component)?.name == "catching-up")
            #expect(!Capture.streams(states))
            // Where the journal ended when the stream began, and where it ends now.
            var told = positions.makeAsyncIterator()
            let (before, after) = (await told.next(), await told.next())
            #expect(before == .zero && after == Position(history: 1, lsn: 150))
            group.cancelAll()
        }
    }
}
