import Journal
import Logging
import Mirror
import NIOCore
import NIOPosix
import Observability
import RESP
import Synchronization
import Testing

/// A region whose journals hold large entries, perhaps behind some small ones, and what it was asked for.
private final class LargeJournals: Sendable {
    struct Asked {
        /// Bytes that the largest answer would have had.
        var most = 0
        var failures = 0
        /// Journals of which a large entry was given.
        var given: Set<JournalName> = []
        /// Where the copies end.
        var copied: [JournalName: EntryID] = [:]
        /// Appends that the peer has refused.
        var refused = 0
    }

    static let names = (1...16).map { JournalName.voice(tenant: "\($0)", origin: "east") }

    let entryBytes: Int
    /// Entries of a hundred bytes that each journal begins with.
    let smallEntries: UInt64
    /// Entries of each journal in all.
    let entries: UInt64
    /// An answer above it ends the connection.
    let replyBytes: Int
    /// What the peer answers, long after the next read; nil where it takes everything.
    let refusal: Refusal?
    let metrics = MetricsRegistry()
    let loop = MultiThreadedEventLoopGroup.singleton.any()
    private let state = Mutex(Asked())

    var asked: Asked { state.withLock { $0 } }

    init(
        entryBytes: Int, behind smallEntries: UInt64 = 0, entries: UInt64 = .max, replyBytes: Int = .max,
        refusal: Refusal? = nil
    ) {
        self.entryBytes = entryBytes
        self.smallEntries = smallEntries
        self.entries = entries
        self.replyBytes = replyBytes
        self.refusal = refusal
    }

    /// Ships until `condition` holds, at most about half a minute.
    func ship(windowBytes: Int, until condition: @escaping @Sendable (Asked) -> Bool) async throws {
        let link = MirrorLink(
            settings: MirrorSettings(region: "east", peer: "west", windowBytes: windowBytes),
            connector: LargeConnector(journals: self),
            report: MirrorReport(
                peer: "west", states: ComponentStates(), metrics: metrics,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })), eventLoop: loop)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await link.run() }
            await link.mirror(Self.names)
            for _ in 0..<1500 where !condition(asked) { try await Task.sleep(for: .milliseconds(20)) }
            group.cancelAll()
        }
        #expect(condition(asked), "\(asked)")
    }

    /// The next entry behind each cursor, if the answer to what was asked would pass; late where there is none.
    func read(_ cursors: [JournalCursor], count: Int) -> EventLoopFuture<MarkedReads> {
        let bytes = cursors.reduce(0) { $0 + count * size(behind: $1) }
        state.withLock { $0.most = max($0.most, bytes) }
        guard bytes <= replyBytes else {
            state.withLock { $0.failures += 1 }
            return loop.makeFailedFuture(Refusal.unexpected("too large"))
        }
        let reads = cursors.filter { $0.last.first < entries }.compactMap { cursor in
            var builder = EntryBatchBuilder(previous: cursor.last)
            builder.append(id: EntryID(first: cursor.last.first + 1, second: 0), fields: 1) { strings in
                strings.append("f")
                strings.append(String(repeating: "x", count: size(behind: cursor)))
            }
            return builder.batch().map { JournalRead(cursor.journal, $0) }
        }
        guard !reads.isEmpty else {
            return loop.scheduleTask(in: .milliseconds(5)) { MarkedReads(reads: [], mark: "b") }.futureResult
        }
        let large = cursors.filter { size(behind: $0) == entryBytes }
        state.withLock { $0.given.formUnion(large.map(\.journal)) }
        return loop.makeSucceededFuture(MarkedReads(reads: reads, mark: "b"))
    }

    func refuse(with refusal: Refusal) throws -> EntryID {
        state.withLock { $0.refused += 1 }
        throw refusal
    }

    func took(_ batch: EntryBatch, of journal: JournalName) {
        state.withLock { $0.copied[journal] = batch.last }
    }

    private func size(behind cursor: JournalCursor) -> Int {
        cursor.last.first < smallEntries ? 100 : entryBytes
    }
}

private struct LargeConnector: MirrorConnector {
    let journals: LargeJournals

    func source() async throws(Refusal) -> any MirrorSource { LargeSource(journals: journals) }

    func target(leaving knock: Knock) async throws(LinkLoss) -> any MirrorTarget { TakingTarget(journals: journals) }
}

private struct LargeSource: MirrorSource {
    let journals: LargeJournals
    let end: EventLoopPromise<LinkLoss>

    init(journals: LargeJournals) {
        self.journals = journals
        end = journals.loop.makePromise()
    }

    var closed: EventLoopFuture<LinkLoss> { end.futureResult }

    func close() { end.succeed(LinkLoss(.unavailable("closed"))) }

    func reader(named name: String, replyBytes: Int) async throws(Refusal) -> any JournalReader {
        LargeReader(journals: journals)
    }

    func lineage(
        of journal: JournalName, cursor: EntryID, peer: String, copyBirth: String?
    ) -> EventLoopFuture<SourceState> {
        answer(
            SourceState(
                birth: "b", generated: EntryID(first: .max, second: 0), added: 1 << 40, found: cursor, passed: nil))
    }

    func newest(of journal: JournalName, through id: EntryID) -> EventLoopFuture<KeptEntry?> { answer(nil) }

    func heal(_ journal: JournalName, with healing: Healing, entries: EntryBatch?) -> EventLoopFuture<EntryID> {
        journals.loop.makeFailedFuture(Refusal.forked)
    }

    func rebear(_ journal: JournalName, _ rebirth: Rebirth, peer: String) -> EventLoopFuture<String> {
        journals.loop.makeFailedFuture(Refusal.forked)
    }

    func note(missed: UInt64, known: UInt64, by peer: String, of journal: JournalName, birth: String) {}

    func takeCounted(by peer: String, of journal: JournalName, birth: String) -> EventLoopFuture<UInt64> { answer(0) }

    func births(of journals: [JournalName]) -> EventLoopFuture<[String?]> { answer(journals.map { _ in "b" }) }

    func entriesAdded(to journals: [JournalName]) -> EventLoopFuture<[UInt64?]> { answer(journals.map { _ in nil }) }

    func identity() -> EventLoopFuture<ServerIdentity> { answer(ServerIdentity(runID: "r", replicationID: "r")) }

    func probe(
        _ journal: JournalName, to peer: String, _ heartbeat: Heartbeat?, captured: Position?
    ) -> EventLoopFuture<EntryID> {
        answer(EntryID(first: 1, second: 0))
    }

    func interrupt(_ reader: any JournalReader) {}

    func knock(of peer: String) -> EventLoopFuture<Knock?> { answer(nil) }

    private func answer<Value: Sendable>(_ value: Value) -> EventLoopFuture<Value> {
        journals.loop.makeSucceededFuture(value)
    }
}

private struct LargeReader: JournalReader {
    let journals: LargeJournals

    func read(_ cursors: [JournalCursor], count: Int, blockTime: Duration) -> EventLoopFuture<MarkedReads> {
        journals.read(cursors, count: count)
    }

    func passed(_ cursors: [JournalCursor], limit: Int) -> EventLoopFuture<[UInt64?]> {
        journals.loop.makeSucceededFuture(cursors.map { _ in nil })
    }

    func close() {}
}

/// A peer that takes everything, or nothing.
private struct TakingTarget: MirrorTarget {
    let journals: LargeJournals
    let end: EventLoopPromise<LinkLoss>

    init(journals: LargeJournals) {
        self.journals = journals
        end = journals.loop.makePromise()
    }

    var closed: EventLoopFuture<LinkLoss> { end.futureResult }

    func path() -> EventLoopFuture<Gathering.Path?> { journals.loop.makeSucceededFuture(nil) }

    func close() { end.succeed(LinkLoss(.unavailable("closed"))) }

    func note(_ gap: CopyGap, known: CopyGap?, in region: String, of journal: JournalName, birth: String) {}

    func open(_ journal: JournalName, birth: String, in region: String) -> EventLoopFuture<CopyState> {
        let last = journals.asked.copied[journal] ?? .zero
        return journals.loop.makeSucceededFuture(
            CopyState(birth: birth, last: last, count: last.first, length: last.first, generated: last))
    }

    func newest(of journal: JournalName, through id: EntryID) -> EventLoopFuture<KeptEntry?> {
        journals.loop.makeSucceededFuture(nil)
    }

    func tail(of journal: JournalName, behind id: EntryID, count: Int) -> EventLoopFuture<EntryBatch?> {
        journals.loop.makeSucceededFuture(nil)
    }

    func noteGap(in journal: JournalName, birth: String) -> EventLoopFuture<Void> {
        journals.loop.makeFailedFuture(Refusal.forked)
    }

    func adopt(_ journal: JournalName, _ adoption: Adoption) -> EventLoopFuture<Void> {
        journals.loop.makeFailedFuture(Refusal.forked)
    }

    func fork(_ journal: JournalName, _ fork: Fork, birth: String) -> EventLoopFuture<Void> {
        journals.loop.makeFailedFuture(Refusal.forked)
    }

    func told(of copy: ClosedCopy, of journal: JournalName) {}

    func forgetGone(_ copies: [JournalName: ClosedCopy]) -> EventLoopFuture<[JournalName]> {
        journals.loop.makeSucceededFuture([])
    }

    func append(_ batch: EntryBatch, to journal: JournalName, birth: String) -> EventLoopFuture<EntryID> {
        if let refusal = journals.refusal {
            return journals.loop.scheduleTask(in: .milliseconds(100)) { [journals] in
                try journals.refuse(with: refusal)
            }.futureResult
        }
        journals.took(batch, of: journal)
        return journals.loop.scheduleTask(in: .milliseconds(1)) { batch.last }.futureResult
    }

    func unfitness() -> EventLoopFuture<LinkLoss?> { journals.loop.makeSucceededFuture(nil) }

    func leave(_ knock: Knock, from region: String) -> EventLoopFuture<Void> { journals.loop.makeSucceededVoidFuture() }
}

@Suite("How much a link reads at once")
struct ReadSizeTests {
    @Test("the first read of entries of unknown size is small")
    func beginsSmall() async throws {
        let journals = LargeJournals(entryBytes: 200_000)
        try await journals.ship(windowBytes: 8 << 20) { $0.given.count == LargeJournals.names.count }
        #expect(journals.asked.most <= 8 << 20)
    }

    @Test("reads whose answers were too large are made smaller until they pass, and every journal has its turn")
    func shrinks() async throws {
        let journals = LargeJournals(entryBytes: 1_000_000, behind: 30, replyBytes: 10_000_000)
        try await journals.ship(windowBytes: 8 << 20) { $0.given.count == LargeJournals.names.count }
        #expect(journals.asked.failures > 0)
        #expect(journals.asked.failures < 10)
    }
}

@Suite("What a link makes of a late refusal")
struct LateRefusalTests {
    @Test("a refusal that lasts is one fork, though the next read is answered before it")
    func countsOnce() async throws {
        let journals = LargeJournals(entryBytes: 100, entries: 1, refusal: .unexpected("not taken"))
        let count = LargeJournals.names.count
        // Each is tried again.
        try await journals.ship(windowBytes: 8 << 20) { $0.refused >= 2 * count }
        #expect(journals.metrics.counter(.mirrorForks, [.cause: "refused"]).value == UInt64(count))
    }
}
