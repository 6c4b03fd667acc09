internal import Journal
internal import RESP
internal import RESPServer
internal import Synchronization

// Begins and ends watches. Replies leave under the lock, so that what is pushed stands on the right side of them.
extension ProvisioningFeed {
    /// Begins a watch behind `from`, or behind what this region's state has now, and answers.
    func watch(
        _ tenant: Int64, types: Set<String>?, from: EntryID?, for client: Client, _ pending: PendingReply
    ) async {
        do throws(ReplyError) {
            if let from { try await check(from) }
            let begun = try begin(tenant, types, from, client, pending)
            if begun.isFirst {
                client.whenEnded { [weak self] in self?.state.withLock { $0.watches.ended(client.id) } }
            }
            await catchUp(begun.watch)
        } catch {
            pending.answer(.error(error))
        }
    }

    private func begin(
        _ tenant: Int64, _ types: Set<String>?, _ from: EntryID?, _ client: Client, _ pending: PendingReply
    ) throws(ReplyError) -> (watch: ProvisioningWatch, isFirst: Bool) {
        let begun: Result<(watch: ProvisioningWatch, isFirst: Bool), ReplyError> = state.withLock { state in
            guard let place = state.place, let completed = state.histories.completed else {
                return .failure(ReadError.nothingProjected)
            }
            if let from, state.repairs.hasRepaired(types, behind: from) { return .failure(WatchError.repaired) }
            guard let (number, isFirst) = state.watches.began(by: client.id, tenant: "\(tenant)") else {
                return .failure(WatchError.tooMany)
            }
            // A Redis that lost its end does not have all that live watches were told; who lists now sees it come again.
            let now = min(place, completed.lastEntryID)
            let watch = ProvisioningWatch(
                client: client, number: number, tenant: "\(tenant)", types: types, place: from ?? now,
                repairs: state.repairs.count)
            client.watchBegan()
            var mailing = Mailing()
            mailing.add(
                Reply.map(["watch": .integer(number), "position": .text(watch.place.placeText)]), to: pending)
            mailing.send()
            return .success((watch, isFirst))
        }
        return try begun.get()
    }

    /// Ends a watch and answers; what came before is sent before.
    func unwatch(_ number: Int64, of client: Client, _ pending: PendingReply) {
        state.withLock { state in
            let isEnded = state.watches.ended(number, of: client.id)
            if isEnded { client.watchEnded() }
            var mailing = Mailing()
            mailing.add(isEnded ? Reply.ok : Reply.error(WatchError.noWatch), to: pending)
            mailing.send()
        }
    }

    /// Whether everything behind `place` is there to be told.
    func check(_ place: EntryID) async throws(ReplyError) {
        let (completed, way) = state.withLock { ($0.histories.completed, $0.histories.way(behind: place)) }
        guard let completed else { throw ReadError.nothingProjected }
        guard way != .lost, Position(number: place.first).history <= completed.history else {
            throw WatchError.unknownHistory
        }
        do throws(ProvisioningPages.Failure) {
            try await pages.check(pages.journals.map { JournalCursor($0, behind: place) })
        } catch {
            throw WatchError.from(error)
        }
    }
}
