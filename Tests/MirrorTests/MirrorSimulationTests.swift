import Journal
import Mirror
import Testing
import Traffic

/// A peer in one value: accepts a batch only behind its predecessor, and is moody.
private struct Peer {
    private(set) var entries: [UInt64] = []
    var isWritable = true

    var cursor: EntryID { EntryID(first: entries.last ?? 0, second: 0) }

    mutating func append(_ batch: MirrorMachine.Batch) -> Refusal? {
        guard isWritable else { return .unavailable("READONLY") }
        guard batch.previous == cursor else { return .cursor(last: cursor) }
        entries += (batch.previous.first + 1)...batch.last.first
        return nil
    }
}

/// Answers that are still on their way. A lost link loses them all, whatever the peer has done.
private enum Answer {
    case read(MirrorMachine.Batch)
    case appended(MirrorMachine.Batch, Refusal?)
}

@Suite("Mirror machine against a moody peer, by seed")
struct MirrorSimulationTests {
    private static let total: UInt64 = 200

    @Test("whatever happens, the copy is exact, and complete once all is well", arguments: 0..<500)
    func copiesExactly(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        var machine = MirrorMachine(windowBytes: Int.random(in: 1...60, using: &random))
        var peer = Peer()
        var onTheWay: [Answer] = []
        var steps = 0
        while machine.acknowledged.first < Self.total {
            steps += 1
            let isCalm = steps > 2_000  // safety before, liveness after
            guard steps < 10_000 else {
                Issue.record("no progress after calm, seed \(seed)")
                return
            }
            while let action = machine.nextAction() {
                perform(action, machine: &machine, peer: &peer, onTheWay: &onTheWay, random: &random)
            }
            switch Int.random(in: 0..<20, using: &random) {
            case 0 where !isCalm:
                onTheWay.removeAll()
                machine.linkLost()
            case 1 where !isCalm:
                peer.isWritable.toggle()
            default:
                if isCalm { peer.isWritable = true }
                if !onTheWay.isEmpty { deliver(onTheWay.removeFirst(), to: &machine) }
            }
            #expect(peer.entries == Array(1..<(peer.cursor.first + 1)), "seed \(seed)")
            #expect(machine.acknowledged <= peer.cursor, "seed \(seed)")
        }
    }

    private func perform(
        _ action: MirrorMachine.Action, machine: inout MirrorMachine, peer: inout Peer,
        onTheWay: inout [Answer], random: inout SplitMix64
    ) {
        switch action {
        case .align:
            machine.aligned(at: peer.cursor)
        case .read(let cursor):
            guard cursor.first < Self.total else { return }  // blocks: nothing there yet
            let last = min(cursor.first + UInt64.random(in: 1...5, using: &random), Self.total)
            let batch = MirrorMachine.Batch(
                previous: cursor, last: EntryID(first: last, second: 0),
                byteCount: Int(last - cursor.first) * 10)
            onTheWay.append(.read(batch))
        case .append(let batch):
            onTheWay.append(.appended(batch, peer.append(batch)))
        case .repair, .stop:
            Issue.record("\(action)")
        }
    }

    private func deliver(_ answer: Answer, to machine: inout MirrorMachine) {
        switch answer {
        case .read(let batch): machine.sourceRead(batch)
        case .appended(let batch, nil): machine.appended(batch)
        case .appended(let batch, let refusal?): machine.refused(batch, refusal)
        }
    }
}
