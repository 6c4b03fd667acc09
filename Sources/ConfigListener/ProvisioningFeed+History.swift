internal import Journal
internal import RESP
internal import RESPServer
internal import Synchronization

extension ProvisioningFeed {
    /// What `COUNT` may be.
    static let historyLimit: Int64 = 1000
    /// Pages of one look.
    private static let pageLimit = 64

    /// Changes behind `place`, up to what is projected.
    func history(_ asked: ProvisioningHistory) async throws(ReplyError) -> Reply {
        var history = asked
        try await check(history.place)
        // Nobody waits any more for what a cancelled look answers.
        guard await historyTurns.take() else { throw ReadError.away }
        defer { historyTurns.pass() }
        var left = Self.pageLimit
        while left > 0, !history.isFull, !Task.isCancelled {
            let place = history.place
            let way = state.withLock { $0.histories.way(behind: place) }
            switch way {
            case .wait: left = 0
            case .lost: throw WatchError.unknownHistory
            case .jump(let next): history.jump(to: next)
            case .read(let bound):
                var reading = ProvisioningReading(pages.journals, behind: place, upTo: bound)
                var isLast = false
                while left > 0, !isLast, !history.isFull, !Task.isCancelled {
                    left -= 1
                    do throws(ProvisioningPages.Failure) {
                        let page = try await pages.page(of: &reading)
                        history.take(page.steps, upTo: reading.place)
                        isLast = page.isLast
                    } catch {
                        throw WatchError.from(error)
                    }
                }
            }
        }
        guard !history.isStale else { throw WatchError.unnamed }
        let isRepaired = state.withLock { state in
            state.repairs.hasRepaired(asked.type.map { Set([$0]) }, behind: asked.place)
        }
        guard !isRepaired else { throw WatchError.repaired }
        return .map([
            "position": .text(history.place.placeText), "events": .array(history.events.map(\.reply)),
        ])
    }
}
