internal import Journal
internal import Projection
internal import RESP

/// Does for a reading of provisioning journals what it needs, in the local Redis, a page at a time.
struct ProvisioningPages: Sendable {
    enum Failure: Error, Hashable, Sendable {
        case store(StoreFailure)
        /// Entries that would have been read are no longer there, or never came to this region.
        case missing
    }

    /// Steps that came together.
    struct Page: Sendable {
        var steps: [ProvisioningReading.Step] = []
        /// It was the last of the reading.
        var isLast = false
    }

    /// This region's name.
    let region: String
    let journals: [JournalName]
    let tail: any JournalTail
    let store: any ProjectionStore
    /// How far what is read is projected.
    let progress: ProvisioningProgress
    /// What readers are served from memory; nil where nothing is.
    let cache: TrackedCache?

    /// Steps of one page, and bytes beyond which it takes no more.
    private static let stepLimit = 512
    private static let byteLimit = 128 << 10

    /// The next steps, of which none but the first waits for Redis.
    func page(of reading: inout ProvisioningReading) async throws(Failure) -> Page {
        var page = Page()
        var bytes = 0
        while page.steps.count < Self.stepLimit, bytes < Self.byteLimit {
            let step = reading.next()
            switch step {
            case .event(let event):
                page.steps.append(step)
                bytes += event.data?.count ?? 0
            case .reload, .closed: page.steps.append(step)
            case .end:
                guard reading.isCut else {
                    page.isLast = true
                    return page
                }
                guard page.steps.isEmpty else { return page }
                throw lost(reading)
            case .read(let cursors):
                guard page.steps.isEmpty else { return page }
                try await read(cursors, for: &reading)
            case .locate(let journal, let position):
                guard page.steps.isEmpty else { return page }
                // It stood there a moment ago.
                guard let isClosing = try await isClosed(journal, at: position) else { throw lost(reading) }
                reading.located(journal, position, isClosing: isClosing)
            }
        }
        return page
    }

    /// Throws where entries behind one of the cursors are missing.
    func check(_ cursors: [JournalCursor]) async throws(Failure) {
        let gap = CopyGap.field(in: region)
        let answers = try await answers(cursors.map { RedisCommand("HMGET", $0.journal.metaKey, "floor", gap) })
        for (cursor, answer) in zip(cursors, answers) {
            let fields = answer.elements.map(\.text)
            guard fields.count == 2 else { continue }
            if let floor = fields[0].flatMap({ EntryID($0) }), floor > cursor.last { throw .missing }
            if let gap = fields[1].flatMap({ CopyGap($0) }), gap.missed > 0, gap.through > cursor.last {
                throw .missing
            }
        }
    }

    private func read(_ cursors: [JournalCursor], for reading: inout ProvisioningReading) async throws(Failure) {
        let reads: [JournalRead]
        do throws(StoreFailure) {
            reads = try await tail.read(behind: cursors, patience: .zero)
            // Who is told of a change and reads the object must not find an older one in memory: until that has forgotten
            // it nothing is told. What is told is projected already, so word of it is there or on its way.
            try await cache?.heard()
        } catch {
            throw .store(error)
        }
        // Behind the read: what it did not find any more is below the floor by now.
        try await check(cursors)
        do {
            try reading.received(reads)
        } catch {
            throw .store(.unreachable("a journal was answered with something else"))
        }
    }

    /// The journals lack what was projected of them. A Redis that went away may get it again, as long as it has not said how
    /// far it is now.
    private func lost(_ reading: ProvisioningReading) -> Failure {
        guard let confirmed = progress.confirmed, confirmed >= reading.bound else {
            return .store(.unreachable("the journals do not have again what was projected of them"))
        }
        return .missing
    }

    /// Whether the last entry at the position closes what stands there; nil where there is none.
    private func isClosed(_ journal: JournalName, at position: Position) async throws(Failure) -> Bool? {
        let answer = try await answers([
            RedisCommand(
                "XREVRANGE", journal.key, position.lastEntryID.description,
                position.entryID(ordinal: 0).description, "COUNT", "1")
        ])
        guard let entry = answer.first?.elements.first else { return nil }
        let fields = entry.elements.last?.elements.map(\.text) ?? []
        guard let place = stride(from: 0, to: fields.count - 1, by: 2).first(where: { fields[$0] == "op" }) else {
            return false
        }
        return fields[place + 1] == "commit" || fields[place + 1] == "end-snapshot"
    }

    private func answers(_ commands: [RedisCommand]) async throws(Failure) -> [StoreReply] {
        do throws(StoreFailure) {
            return try await store.answers(commands)
        } catch {
            throw .store(error)
        }
    }
}
