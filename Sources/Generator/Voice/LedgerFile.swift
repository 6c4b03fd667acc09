import Journal
import NIOPosix
import Synchronization
import Traffic

/// A ledger file that is written on a thread of its own, so that a slow disk delays no event and no measurement.
final class LedgerFile: Sendable {
    /// What became of an event.
    struct Fate: Sendable {
        let identity: EventIdentity
        /// Key of the journal.
        let journal: String
        /// Nil: no answer came.
        let entry: EntryID?
        let digest: UInt64
    }

    let path: String
    private let threads: NIOThreadPool
    private let writer: Mutex<LedgerWriter>
    private let failed: @Sendable (GeneratorError) -> Void

    /// Opens or creates the file and goes on behind what is there. `failed` is called when it cannot be written later.
    init(
        path: String, threads: NIOThreadPool, failed: @escaping @Sendable (GeneratorError) -> Void
    ) throws(GeneratorError) {
        self.path = path
        self.threads = threads
        self.failed = failed
        do {
            writer = Mutex(try LedgerWriter(path: path))
        } catch {
            throw .file(path: path, problem: "\(error)")
        }
    }

    /// Writes lines for these events, and hands them to the operating system, soon.
    func record(_ fates: [Fate]) {
        threads.submit { [self] state in
            guard case .active = state else { return }
            write { writer throws in
                for fate in fates {
                    if let entry = fate.entry {
                        try writer.acknowledged(fate.identity, in: fate.journal, as: entry, digest: fate.digest)
                    } else {
                        try writer.unanswered(fate.identity, in: fate.journal, digest: fate.digest)
                    }
                }
                try writer.flush()
            }
        }
    }

    /// Writes a transaction's line; returns when the operating system has it.
    func record(_ transaction: ProducedTransaction) async {
        await run { writer throws in
            try writer.committed(transaction)
            try writer.flush()
        }
    }

    /// Everything was recorded; returns when the file is closed. Nothing can be recorded afterwards.
    func close() async {
        await run { writer throws in try writer.close() }
    }

    private func run(_ body: @escaping @Sendable (inout LedgerWriter) throws -> Void) async {
        await withCheckedContinuation { continuation in
            threads.submit { [self] _ in
                write(body)
                continuation.resume()
            }
        }
    }

    private func write(_ body: (inout LedgerWriter) throws -> Void) {
        do {
            try writer.withLock { writer in try body(&writer) }
        } catch {
            failed(.file(path: path, problem: "\(error)"))
        }
    }
}
