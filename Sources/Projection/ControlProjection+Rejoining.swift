internal import Journal
internal import Logging
internal import Observability
internal import RESP

// A region that rejoins sees to its peers' projections itself: it moves their cursors behind what it wrote while it counted
// as down, and takes the cuts away. What the survivor says of it in its control journal may be read before or after that.
//
// It may also be read when all is long over: by a region whose Redis was emptied, or that did not hear the survivor for a
// while. It then declares the region down, and has it rejoin, for itself alone; nobody else takes its cuts away. So they
// are taken away here when the region had its time to do it. The cursors stay: nothing that is behind them was projected.
extension ControlProjection {
    /// Ends, where that is due, that a region counts as down which has rejoined by the survivor's word.
    func settleRejoined() async throws(StoreFailure) {
        let fields = peers.flatMap { [ProjectionKeys.rejoining(region: $0), ProjectionKeys.down(region: $0)] }
        let answers = try await store.answers([
            RedisCommand("TIME"), RedisCommand(["HMGET", ProjectionKeys.trailing] + fields),
        ])
        let held = answers[1].elements.map(\.text)
        guard let time = answers[0].milliseconds, held.count == fields.count else {
            throw .unreachable("TIME or HMGET was answered with something else")
        }
        for (index, peer) in peers.enumerated() {
            guard let text = held[2 * index], let word = RejoiningWord(text) else { continue }
            var ended = [(ProjectionKeys.rejoining(region: peer), text)]
            // Else the region was here, or was declared down once more since.
            if held[2 * index + 1] == word.note {
                // A clock that was set back must not keep it waiting.
                let waited = time &- word.time
                guard waited < 0 || Duration.milliseconds(waited) >= rejoinPatience else { continue }
                try await takeCutsAway(of: peer)
                ended.append((ProjectionKeys.down(region: peer), word.note))
            }
            _ = try await store.answers([ProjectionFunctions.forget(ended, of: ProjectionKeys.trailing)])
        }
    }

    private func takeCutsAway(of peer: String) async throws(StoreFailure) {
        let states = try await knownTenants().map { ProjectionKeys.cursors(tenant: $0) }
        let field = ProjectionKeys.voiceCut(origin: peer)
        let cuts = try await store.answers(states.map { RedisCommand("HGET", $0, field) })
        var commands: [RedisCommand] = []
        for (state, cut) in zip(states, cuts) {
            guard let cut = cut.text else { continue }
            commands.append(ProjectionFunctions.forget([(field, cut)], of: state))
        }
        _ = try await store.answers(commands)
        report.logger.info("Cuts of a region that has rejoined were taken away", [.region: "\(peer)"])
    }
}

/// That a region has rejoined, as the field `ProjectionKeys.rejoining` holds it: `<time> <note>`.
struct RejoiningWord: Hashable, Sendable {
    /// When the word came, ms since 1970 by the local Redis.
    let time: Int64
    /// The note of the declaration that it ends.
    let note: String

    init(time: Int64, note: String) {
        self.time = time
        self.note = note
    }

    /// Nil for anything else.
    init?(_ text: String) {
        let words = text.split(separator: " ", maxSplits: 1)
        guard words.count == 2, let time = Int64(words[0]) else { return nil }
        self.init(time: time, note: String(words[1]))
    }
}

extension RejoiningWord: CustomStringConvertible {
    var description: String { "\(time) \(note)" }
}
