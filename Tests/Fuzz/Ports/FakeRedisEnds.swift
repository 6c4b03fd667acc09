import ConfigListener
import Journal
import Projection
import RESP
import VoiceListener

/// Opens the one session there is.
struct FakeTracking: CacheTracking {
    let store: FakeStore

    func open(
        onInvalidation: @escaping @Sendable (CacheInvalidation) -> Void
    ) async throws(StoreFailure) -> any CacheSession { store }
}

/// Some tokens are visible, others never are.
struct FakeTokens: TokenWaiting {
    func wait(for token: WriteToken, within patience: Duration) async -> TokenVerdict {
        switch token.xid % 4 {
        case 0: .timedOut
        case 1: .unknown
        default: .visible
        }
    }
}

/// A connection that finds one entry behind every cursor below `last`, and then no more.
struct FakeTail: VoiceTail {
    private static let last = EntryID(first: 12, second: 0)

    func send(behind cursors: [JournalCursor], waits: Bool) -> SentRead {
        SentRead { () async throws(StoreFailure) -> [JournalRead] in
            try? await Task.sleep(for: .milliseconds(1))
            return cursors.compactMap { cursor in
                guard cursor.last < Self.last else { return nil }
                var builder = EntryBatchBuilder(previous: cursor.last)
                builder.append(id: Self.last, fields: 3) { strings in
                    for word in ["event", "EventRinging", "key", "c1", "data", "{}"] { strings.append(word) }
                }
                return builder.batch().map { JournalRead(cursor.journal, $0) }
            }
        }
    }

    func interrupt() async {}

    func close() {}
}

/// A peer that holds everything, or nothing for as long as it is waited for.
struct FakeCopies: PeerCopies {
    let temper: Temper

    func holds(_ entries: [JournalName: EntryID]) async -> Bool {
        guard temper.die(for: "holds".utf8) == .max else {
            try? await Task.sleep(for: .seconds(3600))
            return false
        }
        return true
    }
}
