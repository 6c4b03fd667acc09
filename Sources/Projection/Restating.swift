internal import CrashPoints
internal import Journal
internal import NIOCore
internal import Observability
internal import RESP
internal import VoiceEvents

/// Restates this region's live calls and agents, in its own voice journals, to the regions that ask for it, until
/// cancelled (journal.md, mirror rule 4).
///
/// What was asked and what was answered stand in Redis, so another worker goes on with it; what it restates once more
/// does no harm. All that matters is decided in `RestateFunctions`.
struct Restating: Sendable {
    let region: String
    let peers: [String]
    /// Tenants that are followed whether or not they were ever provisioned.
    let tenants: [String]
    let store: any ProjectionStore
    let report: ProjectionReport

    /// Whom a tenant's journal is restated for.
    private struct Name: Hashable {
        let peer: String
        let tenant: String
    }

    /// A restatement that was begun.
    private struct Work {
        /// Where the projection stood then: what lives there is restated.
        let since: EntryID
        let birth: String
        /// The last entry that was appended; empty before the first.
        var last = ""
        /// Nil before it was looked what there is.
        var left: [VoiceRecordName]?
        var told = 0
    }

    func run() async {
        var work: [Name: Work] = [:]
        while !Task.isCancelled {
            do throws(StoreFailure) {
                try await answer(&work)
            } catch {
                if error.isFunctionMissing { _ = await store.run([RestateFunctions.library.loadCommand]) }
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func answer(_ work: inout [Name: Work]) async throws(StoreFailure) {
        let fields = [ProjectionKeys.down(region: region)] + peers.map { ProjectionKeys.asked(by: $0) }
        let held = try await store.answers([RedisCommand(["HMGET", ProjectionKeys.trailing] + fields)])[0].elements
        // What a region writes while it counts as down is in nobody's state.
        let isDown = held.first?.text != nil
        for (peer, note) in zip(peers, held.dropFirst()) {
            guard let note = note.text, !isDown else {
                work = work.filter { $0.key.peer != peer }
                report.restating(nil, for: peer)
                continue
            }
            let request = RestateRequest(note: note, owner: region)
            let due = try await due(request, of: peer)
            if due.isEmpty {
                let field = ProjectionKeys.asked(by: peer)
                _ = try await store.answers([ProjectionFunctions.forget([(field, note)], of: ProjectionKeys.trailing)])
            } else if let request {
                try await answer(request, of: peer, due, &work)
            }
        }
    }

    /// The tenants whose journals are still to be restated.
    private func due(_ request: RestateRequest?, of peer: String) async throws(StoreFailure) -> [String] {
        guard let request else { return [] }
        let known = try await store.answers([RedisCommand("SMEMBERS", tenantsKey)])[0].elements.compactMap(\.text)
        let asked = Set(known + tenants).filter { request.tenants[$0] != nil }.sorted()
        let marks = try await store.answers(
            asked.map { RedisCommand("HGET", ProjectionKeys.cursors(tenant: $0), RestateFunctions.answered(peer)) })
        return zip(asked, marks).filter { $1.text.flatMap { EntryID($0) } ?? .zero < request.entry }.map(\.0)
    }

    private func answer(
        _ request: RestateRequest, of peer: String, _ due: [String], _ work: inout [Name: Work]
    ) async throws(StoreFailure) {
        work = work.filter { $0.key.peer != peer || due.contains($0.key.tenant) }
        var obstacle: String?
        for tenant in due {
            let name = Name(peer: peer, tenant: tenant)
            let gap = request.tenants[tenant] ?? .zero
            if let begun = work[name], begun.since >= gap { continue }
            switch try await tell([], tenant: tenant) {
            case .told(let begun) where begun.since >= gap:
                work[name] = Work(since: begun.since, birth: begun.birth)
            case .told: obstacle = "the voice journal of tenant \(tenant) is not projected yet"
            case .refused(let word): obstacle = Self.notReady(tenant, word)
            }
        }
        // What is looked for behind the beginning lacks nothing that lived then.
        if due.contains(where: { work[Name(peer: peer, tenant: $0)].map { $0.left == nil } == true }) {
            let agents = try await agents()
            for tenant in due {
                let name = Name(peer: peer, tenant: tenant)
                guard var begun = work[name], begun.left == nil else { continue }
                do throws(StoreFailure) {
                    begun.left = try await calls(of: tenant) + (agents[tenant] ?? [])
                    work[name] = begun
                } catch {
                    guard case .server = error else { throw error }
                    work[name] = nil
                    obstacle = "the calls of tenant \(tenant) cannot be listed: \(error)"
                }
            }
        }
        for tenant in due {
            let name = Name(peer: peer, tenant: tenant)
            guard var begun = work[name] else { continue }
            switch try await restate(&begun, tenant: tenant, request, for: peer) {
            case .done: work[name] = nil
            case .goesOn: work[name] = begun
            case .refused(let word):
                work[name] = begun
                obstacle = Self.notReady(tenant, word)
            }
        }
        report.restating(due.count, for: peer, obstacle)
    }

    private static func notReady(_ tenant: String, _ word: String) -> String {
        "the voice journal of tenant \(tenant) is not ready: \(word)"
    }
}

// MARK: One tenant

extension Restating {
    /// Up to where all is in state, the journal's mark, its last restated entry, and what became of each record.
    private typealias Answer = (since: EntryID, birth: String, last: String, records: [StoreReply])

    private enum Told {
        case told(Answer)
        /// Nothing was appended.
        case refused(String)
    }

    /// Records of one call: what takes Redis a millisecond or two.
    private static let recordsPerCall = 100
    /// Entries behind the cursor up to which a call looks through them.
    private static let unreadEntries = 256
    /// The journal is not the one that it was: all is to be begun anew.
    private static let other = "OTHER"
    private static let retryPause = Duration.milliseconds(20)
    /// After so many calls for nothing the other tenants have their turn.
    private static let patience = 25

    private func tell(
        _ records: ArraySlice<VoiceRecordName>, tenant: String, birth: String = "", last: String = ""
    ) async throws(StoreFailure) -> Told {
        let journal = JournalName.voice(tenant: tenant, origin: region)
        let keys = [ProjectionKeys.cursors(tenant: tenant), journal.key, journal.metaKey] + records.map(\.key)
        var words = ["FCALL", "rsr1_tell", "\(keys.count)"] + keys
        words += [ProjectionKeys.voiceCursor(origin: region), "\(Self.unreadEntries)", region, birth, last]
        for record in records { words += [record.kind == .call ? "call" : "agent", record.id] }
        let reply = try await ask(words)
        let parts = reply.elements
        guard parts.count == 3 + records.count, let since = parts[0].text.flatMap({ EntryID($0) }),
            let birth = parts[1].text, let last = parts[2].text
        else { return .refused(reply.text ?? "") }
        return .told((since, birth, last, Array(parts.dropFirst(3))))
    }

    /// Calls a function; what the server objects to this one call is its answer.
    private func ask(_ words: [String]) async throws(StoreFailure) -> StoreReply {
        switch await store.run([RedisCommand(words: words, runs: [])]).first {
        case .success(let reply): return reply
        case .failure(let failure):
            guard case .server = failure, !failure.isFunctionMissing else { throw failure }
            return .string(ByteBuffer(string: "\(failure)"))
        case nil: throw .unreachable("no answer")
        }
    }

    private enum Turn {
        /// The tenant is done with, or to be begun anew.
        case done
        /// It goes on in the next turn.
        case goesOn
        /// The same, and why it did not go on in this one.
        case refused(String)

        init(refused word: String) { self = word == Restating.other ? .done : .refused(word) }
    }

    private func restate(
        _ work: inout Work, tenant: String, _ request: RestateRequest, for peer: String
    ) async throws(StoreFailure) -> Turn {
        var vain = 0
        while let left = work.left, !left.isEmpty {
            guard vain < Self.patience, !Task.isCancelled else { return .goesOn }
            let some = left.prefix(Self.recordsPerCall)
            switch try await tell(some, tenant: tenant, birth: work.birth, last: work.last) {
            case .refused("BEHIND"): vain += 1
            case .refused(let word): return Turn(refused: word)
            case .told(let answer):
                CrashPoint.restateTold.pass()
                work.last = answer.last
                let waiting = zip(some, answer.records).filter { $1 == .integer(-1) }.map(\.0)
                work.told += answer.records.count { $0 == .integer(1) }
                work.left = left.dropFirst(some.count) + waiting
                vain = waiting.count < some.count ? 0 : vain + 1
            }
            // The projection has to come by before more can be said.
            if vain > 0 { try? await Task.sleep(for: Self.retryPause) }
        }
        let journal = JournalName.voice(tenant: tenant, origin: region)
        let reply = try await ask([
            "FCALL", "rsr1_end", "3", ProjectionKeys.cursors(tenant: tenant), journal.key, journal.metaKey,
            ProjectionKeys.voiceCursor(origin: region), work.birth, work.last, work.since.description,
            RestateFunctions.answered(peer), request.entry.description, peer,
            Restatement.endData(since: work.since, records: work.told),
        ])
        CrashPoint.restateEnded.pass()
        if reply == .integer(1) { report.restated(work.told, tenant: tenant, for: peer) }
        if case .integer = reply { return .done }
        return reply.text == "BEFORE" ? .goesOn : Turn(refused: reply.text ?? "")
    }

    // MARK: What there is

    private func calls(of tenant: String) async throws(StoreFailure) -> [VoiceRecordName] {
        let key = ProjectionKeys.activeCalls(tenant: tenant)
        return try await scan { ["SSCAN", key, $0, "COUNT", "500"] }.sorted().map {
            VoiceRecordName(tenant: tenant, kind: .call, id: $0)
        }
    }

    /// All agents, by tenant.
    private func agents() async throws(StoreFailure) -> [String: [VoiceRecordName]] {
        let start = "agent:{"
        let keys = try await scan { ["SCAN", $0, "MATCH", "\(start)*", "COUNT", "1000"] }
        var agents: [String: [VoiceRecordName]] = [:]
        for key in keys.sorted() {
            let parts = key.dropFirst(start.count).split(separator: "}:", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let tenant = String(parts[0])
            agents[tenant, default: []].append(VoiceRecordName(tenant: tenant, kind: .agent, id: String(parts[1])))
        }
        return agents
    }

    /// A page of a scan is followed by a rest of so many times its length: Redis serves others as well.
    private static let restPerPage = 4

    private func scan(_ command: (String) -> [String]) async throws(StoreFailure) -> Set<String> {
        var found: Set<String> = []
        var cursor = "0"
        repeat {
            let began = ContinuousClock.now
            let reply = try await store.answers([RedisCommand(command(cursor))])[0].elements
            guard reply.count == 2, let next = reply[0].text else {
                throw .unreachable("a scan was answered with something else")
            }
            found.formUnion(reply[1].elements.compactMap(\.text))
            cursor = next
            if cursor != "0" { try? await Task.sleep(for: (.now - began) * Self.restPerPage) }
        } while cursor != "0" && !Task.isCancelled
        return found
    }
}
