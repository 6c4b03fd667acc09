package import Journal
package import RESP
internal import VoiceEvents

/// Folds the voice journals of some tenants, of every region, into their calls and agents.
///
/// The driver reads, loads what `missing` names, and makes the calls that `nextCalls()` gives; when all have succeeded it
/// asks again until there are none, makes those that `dueLogouts(at:)` gives, then reads on. After a failure it begins
/// again with a new fold.
package struct VoiceFold: Sendable {
    /// A record as the server keeps it.
    package struct Key: Hashable, Sendable {
        let name: VoiceRecordName

        /// The key of the hash.
        package var text: String { name.key }
    }

    /// Changes of one tenant's records by the events of one journal, and the journal's cursor around them.
    package struct Call: Sendable {
        package let journal: JournalName
        package let command: RedisCommand
    }

    /// What became of the entries so far.
    package struct Counts: Hashable, Sendable {
        package var events = 0
        package var illegal = 0
        /// Entries that are no voice events.
        package var unreadable = 0
        /// Logouts appended for sessions that were lost to a login elsewhere.
        package var logouts = 0
        /// Records written in the place of something else.
        package var replaced = 0
        /// Records that were taken over as their owners restated them.
        package var restated = 0

        package init() {}
    }

    private struct Event: Sendable {
        let entry: EntryID
        let content: VoiceContent
    }

    private struct Source: Sendable {
        var cursor = EntryID.zero
        /// The last entry that counts, where the journal's region was declared down.
        var cut: EntryID?
        /// Everything up to the cut was folded; what lies beyond is left alone.
        var isPastCut = false
        var wholeness = Wholeness.whole
        /// The server is to know that all of the journal was here.
        var isToBeNoted = false
        var folded: UInt64 = 0
        var events: [Event] = []
        var names: Set<VoiceRecordName> = []
    }

    /// Where this fold runs: it ends the sessions of this region that were lost.
    let region: String
    private let recordTime: Int64
    private let heldRecords: Int
    private var sources: [JournalName: Source] = [:]
    private(set) var records: [VoiceRecordName: VoiceRecord] = [:]
    /// Known not to be at the server.
    private(set) var absent: Set<VoiceRecordName> = []
    /// Those of the absent whose keys hold something that is no record.
    private var foreign: Set<VoiceRecordName> = []
    /// Agents whose record shows, or showed when it was left, a session here that a login elsewhere made void.
    var superseded: Set<VoiceRecordName> = []
    package internal(set) var counts = Counts()
    private var firstUnreadable: PassedOver?

    /// - Parameters:
    ///   - region: The region where it runs.
    ///   - recordTime: How long an ended call's record stays readable.
    ///   - heldRecords: How many records are kept in memory between reads.
    package init(region: String, recordTime: Duration, heldRecords: Int = 4096) {
        self.region = region
        self.recordTime = max(1, recordTime.components.seconds)
        self.heldRecords = heldRecords
    }

    // MARK: Facts

    /// Takes on a journal behind what the server has of it. Nothing beyond `cut` is folded.
    package mutating func follow(_ journal: JournalName, behind cursor: EntryID, cut: EntryID? = nil) {
        let known = sources[journal]
        sources[journal] = Source(
            cursor: cursor, cut: cut, isPastCut: cut.map { cursor >= $0 } ?? false,
            wholeness: known?.wholeness ?? .whole, folded: known?.cursor == cursor ? known?.folded ?? 0 : 0)
    }

    /// What is known of a copy's beginning, when everything read was folded; see `Wholeness` for `gap` and `restated`.
    package mutating func found(_ gap: CopyGap?, restated: EntryID?, of journal: JournalName) {
        guard journal.origin != region, sources[journal]?.events.isEmpty == true else { return }
        sources[journal]?.wholeness = Wholeness(gap: gap, restated: restated)
        sources[journal]?.isToBeNoted = gap?.missed == 0 && restated == nil
    }

    /// The journals that are not known to be whole here.
    package var incomplete: [JournalName: Wholeness] {
        sources.compactMapValues { $0.wholeness == .whole ? nil : $0.wholeness }
    }

    /// The journals of other regions.
    var copies: [JournalName] { sources.keys.filter { $0.origin != region } }

    /// Where to read on; only when everything read was folded.
    package var wanted: [JournalCursor] {
        sources.filter { $0.value.events.isEmpty && !$0.value.isPastCut }.map {
            JournalCursor($0.key, behind: $0.value.cursor)
        }
    }

    /// Journals that were folded to their cuts; whether a cut is still there, only the server knows.
    package var ended: [JournalName] { sources.filter { $0.value.isPastCut && $0.value.events.isEmpty }.map(\.key) }

    /// A journal was read; what does not continue what was read of it before is dropped. Throws
    /// `EntryBatch.Malformed`.
    package mutating func read(_ read: JournalRead) throws {
        guard var source = sources[read.journal], source.events.isEmpty, source.cursor == read.batch.previous else {
            return
        }
        let tenant = read.journal.tenant
        try read.batch.forEachEntry { entry in
            if let cut = source.cut, entry.id >= cut { source.isPastCut = true }
            if let cut = source.cut, entry.id > cut { return }
            let content = VoiceContent(entry, from: read.journal.origin)
            source.names.formUnion(content.subjects(of: tenant))
            source.events.append(Event(entry: entry.id, content: content))
        }
        sources[read.journal] = source
    }

    /// The records that must be loaded before the calls.
    package var missing: [Key] {
        var names: Set<VoiceRecordName> = []
        for wanted in sources.values.map(\.names) + [superseded] {
            for name in wanted where records[name] == nil && !absent.contains(name) { names.insert(name) }
        }
        return names.map(Key.init)
    }

    /// Where it stands with each journal; one that was folded to its cut is left out, as what lies beyond is not to be
    /// folded.
    package var progress: [JournalProgress] {
        sources.filter { !$0.value.isPastCut }.map {
            JournalProgress($0.key, cursor: $0.value.cursor, folded: $0.value.folded)
        }
    }

    /// What the server holds of a record; nothing when it holds none.
    package mutating func loaded(_ key: Key, _ fields: [(String, String)]) {
        if let record = VoiceRecord(key.name, fields) { records[key.name] = record } else { absent.insert(key.name) }
    }

    /// Under a record's key the server holds something of another kind: there is no record, and one that begins is written
    /// in its place.
    package mutating func foundForeign(_ key: Key) {
        absent.insert(key.name)
        foreign.insert(key.name)
    }

    /// The first entry that was no voice event since the last call.
    package mutating func takeFirstUnreadable() -> PassedOver? {
        defer { firstUnreadable = nil }
        return firstUnreadable
    }

    // MARK: Actions

    /// The next calls, all of them to be made together; empty when everything read was folded. Two journals that touch
    /// the same record are never in the same calls, so that one that fails leaves the other's record as it was.
    package mutating func nextCalls() -> [Call] {
        var touched: Set<VoiceRecordName> = []
        var calls: [Call] = []
        for (journal, source) in sources where !source.events.isEmpty && touched.isDisjoint(with: source.names) {
            touched.formUnion(source.names)
            calls.append(fold(journal, source))
        }
        if calls.isEmpty, records.count + absent.count > heldRecords { forgetRecords() }
        return calls
    }

    /// All but those of which something is still to be done.
    private mutating func forgetRecords() {
        let kept = superseded.map { ($0, records[$0]) }
        records.removeAll(keepingCapacity: true)
        absent.formIntersection(superseded)
        foreign.formIntersection(absent)
        for (name, record) in kept { records[name] = record }
    }

    private mutating func fold(_ journal: JournalName, _ source: Source) -> Call {
        var now: [VoiceRecordName: VoiceRecord] = [:]
        var commands = GuardedCommands()
        var wholeness = source.wholeness
        if source.isToBeNoted { commands.note(journal, restated: .zero) }
        for event in source.events {
            switch event.content {
            case .unreadable:
                counts.unreadable += 1
                firstUnreadable = firstUnreadable ?? PassedOver(journal: journal, entry: event.entry)
            case .event(let voice):
                counts.events += 1
                if !apply(voice, event.entry, journal, &now) { counts.illegal += 1 }
            case .restated(.end(let since)):
                guard case .lacking(let through, _) = wholeness, since >= through else { continue }
                wholeness = .whole
                commands.note(journal, restated: since)
            case .restated(let told):
                if apply(told, journal, replacing: wholeness.isLacking, &now) { counts.restated += 1 }
            }
        }
        for (name, record) in now {
            if !record.isNew {
                commands.write(record, name, over: records[name], region: region, recordTime: recordTime)
                records[name] = record.hasEnded ? nil : record
                absent.remove(name)
                if foreign.remove(name) != nil { counts.replaced += 1 }
            } else if records.removeValue(forKey: name) != nil {
                // All that was known of it has been taken back.
                commands.append(["DEL", name.key])
                absent.insert(name)
            }
        }
        for name in source.names where name.kind == .agent {
            let isSuperseded = records[name]?.isSuperseded(in: region) ?? false
            if isSuperseded { superseded.insert(name) } else { superseded.remove(name) }
        }
        let last = source.events.last?.entry ?? source.cursor
        sources[journal] = Source(
            cursor: last, cut: source.cut, isPastCut: source.isPastCut, wholeness: wholeness,
            folded: source.folded + UInt64(source.events.count))
        let expected = source.cursor == .zero ? "0" : source.cursor.description
        return Call(
            journal: journal,
            command: RedisCommand(
                [
                    "FCALL", "rsp2_apply", "1", ProjectionKeys.cursors(tenant: journal.tenant),
                    ProjectionKeys.voiceCursor(origin: journal.origin), expected, last.description,
                ], commands.words))
    }

    /// Folds one event into the records it is about; false when their states do not allow it.
    private func apply(
        _ event: VoiceEvent, _ entry: EntryID, _ journal: JournalName, _ now: inout [VoiceRecordName: VoiceRecord]
    ) -> Bool {
        let (tenant, origin) = (journal.tenant, journal.origin)
        var isLegal = true
        switch event.subject {
        case .none: return true
        case .agent(let id):
            let name = VoiceRecordName(tenant: tenant, kind: .agent, id: id)
            var agent = AgentMachine(agentID: id)
            if case .agent(let known) = now[name] ?? records[name] { agent = known }
            isLegal = agent.eventRead(event, at: entry, from: origin).isLegal
            if isLegal { now[name] = .agent(agent) }
        case .call(let id):
            let name = VoiceRecordName(tenant: tenant, kind: .call, id: id)
            var call = CallMachine(connID: id, region: origin)
            if case .call(let known) = now[name] ?? records[name] { call = known }
            isLegal = call.eventRead(event, at: entry, from: origin).isLegal
            if isLegal { now[name] = .call(call) }
        }
        guard isLegal, let left = event.connIDLeft else { return isLegal }
        let name = VoiceRecordName(tenant: tenant, kind: .call, id: left)
        guard case .call(var call) = now[name] ?? records[name] else { return true }
        guard call.partyMoved(event, at: entry, from: origin).isLegal else { return false }
        now[name] = .call(call)
        return true
    }
}
