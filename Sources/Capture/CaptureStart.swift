internal import Journal
package import PGOutput
internal import RegionConfig

/// Decides how capture begins, from what it found on both sides (capture.md, Start).
///
/// START_REPLICATION never objects to a wrong LSN: an older one is forwarded, one beyond the server's log silently
/// skips commits. So nothing is streamed before this table has said `resume`.
package enum CaptureStart: Hashable, Sendable {
    /// This region begins history `number`, if `after` is still the newest one (0: none). Then look again.
    case beginHistory(number: UInt64, after: UInt64)
    /// Make the publication; always before the slot. Then look again.
    case createPublication
    /// Make a slot and bring what PostgreSQL holds where it begins into the journal. Then look again.
    case snapshot(dropsSlot: Bool, mode: SnapshotMode)
    /// Stream from here.
    case resume(at: LSN)
    /// Look again in a while.
    case wait(CaptureWait)
    /// Stand still until an operator has acted.
    case stop(CaptureStop)
}

/// How much of PostgreSQL a snapshot journals.
package enum SnapshotMode: Hashable, Sendable {
    /// Every row: nothing was captured before.
    case full
    /// The rows that differ from this region's cache; every row where the cache is empty or does not follow its journals.
    case diff(ResnapshotCause)
}

/// Why the journal does not go on from where it ends, though the server is the one that the newest history names.
package enum ResnapshotCause: Hashable, Sendable {
    /// The slot is no longer there.
    case slotMissing(String)
    /// The server gave up keeping WAL for the slot.
    case slotLost(String, cause: String)
    /// Redis went back behind what PostgreSQL was told to forget; or a snapshot was cut off behind its slot.
    case journalBehind(ours: LSN, confirmed: LSN)
    /// The slot was in use, but the journal holds nothing: Redis was emptied.
    case journalEmpty(slot: String)
    /// The journal has entries and no position: its first snapshot was cut off.
    case cutOff
    /// The publication or a table was changed, and changes may not have been shown meanwhile.
    case shownOtherwise
    /// Changes from before a table was put right cannot be read; `stop` says why.
    case unreadable(CaptureStop)
    /// Another server or region captured before: its last commits may be missing here, or what it journaled there.
    case newHistory(UInt64)

    /// What metrics call it.
    package var name: String {
        switch self {
        case .slotMissing: "slot-missing"
        case .slotLost: "slot-lost"
        case .journalBehind: "journal-behind"
        case .journalEmpty: "journal-empty"
        case .cutOff: "cut-off"
        case .shownOtherwise: "shown-otherwise"
        case .unreadable: "unreadable"
        case .newHistory: "new-history"
        }
    }

    /// Whether a peer's copy may hold what the journal lost.
    package var mayBeHealed: Bool {
        switch self {
        case .journalBehind, .journalEmpty: true
        case .slotMissing, .slotLost, .cutOff, .shownOtherwise, .unreadable, .newHistory: false
        }
    }

    /// In a sentence.
    package var reason: String {
        switch self {
        case .slotMissing(let name): "slot \(name) was gone, and with it the changes behind the journal's position"
        case .slotLost(let name, let cause): "slot \(name) was lost: \(cause)"
        case .journalBehind(let ours, let confirmed):
            "the journal ended at \(ours), PostgreSQL was told to forget up to \(confirmed): Redis went back, or a "
                + "snapshot was cut off"
        case .journalEmpty(let slot): "the journal was empty, but slot \(slot) had been used: Redis was emptied"
        case .cutOff: "a first snapshot was cut off"
        case .shownOtherwise: "the publication or a table of the catalog was changed"
        case .unreadable(let stop): "changes from before it was mended cannot be read: \(stop.reason)"
        case .newHistory(let number): "history \(number) began: some commits may be lost, others unseen"
        }
    }
}

/// What capture waits for; all of it mends itself, sooner or later.
package enum CaptureWait: Hashable, Sendable {
    /// A peer that answers, or an operator's word, since nobody here can tell whether another region has taken over.
    case peer(CaptureDoubt)
    /// Another region is the one that captures.
    case otherRegion(String)
    /// Another worker, or our own connection of before, streams from the slot.
    case slotBusy(pid: Int32?)
    /// The server replays and takes no writes.
    case inRecovery
}

extension CaptureStart {
    /// The decision for what was found.
    package init(_ found: CaptureFound) {
        if let decision = Self.place(found) ?? Self.schema(found) ?? Self.slot(found) {
            self = decision
        } else {
            self = Self.position(found)
        }
    }

    /// The history under which this region captures if it does as decided; nil where it does nothing.
    func history(_ found: CaptureFound) -> UInt64? {
        switch self {
        case .beginHistory(let number, _): number
        case .createPublication, .snapshot, .resume: found.history?.number ?? 0
        case .wait, .stop: nil
        }
    }

    /// Whether it is for this region, on this server, to capture at all.
    private static func place(_ found: CaptureFound) -> CaptureStart? {
        guard !found.isInRecovery else { return .wait(.inRecovery) }
        guard found.hasHistoryTable else { return .stop(.schemaMissing) }
        if let history = found.history, history.captureRegion != found.region {
            return .wait(.otherRegion(history.captureRegion))
        }
        // Another region has taken over, with a server that this one knows nothing of.
        let newest = found.history?.number ?? 0
        guard found.knownHistory <= max(newest, found.journal.history) else {
            return .stop(.formerPrimary(known: found.knownHistory, newest: newest))
        }
        if let doubt = found.doubt { return .wait(.peer(doubt)) }
        guard let history = found.history else { return next(after: 0, found) }
        let isSameServer = history.systemID == found.systemID && history.timeline == found.timeline
        // A server restored to an older state has forgotten histories in which we journaled.
        guard isSameServer, found.journal.history <= history.number else { return next(after: history.number, found) }
        guard Position(history: history.number, lsn: found.flushed.rawValue) != nil else {
            return .stop(.positionOverflow(history: history.number))
        }
        return nil
    }

    /// The next history: above all that PostgreSQL and our journal know, so that positions always rise.
    private static func next(after newest: UInt64, _ found: CaptureFound) -> CaptureStart {
        let known = max(newest, found.journal.history)
        guard let first = Position(history: known, lsn: 0), Position(history: first.history + 1, lsn: 0) != nil else {
            return .stop(.positionOverflow(history: known))
        }
        return .beginHistory(number: known + 1, after: newest)
    }

    private static func schema(_ found: CaptureFound) -> CaptureStart? {
        guard found.walLevel == "logical" else { return .stop(.walLevel(found.walLevel)) }
        for table in found.tables {
            guard let columns = table.columns else { return .stop(.tableMissing(table.name)) }
            if let column = table.required.first(where: { !columns.contains($0) }) {
                return .stop(.columnMissing(table.name, column: column))
            }
            let lacking = table.required.filter { !table.identity.contains($0) }
            guard lacking.isEmpty else { return .stop(.replicaIdentity(table.name, columns: lacking)) }
        }
        guard let publication = found.publication else {
            return found.journal.position == nil
                ? .createPublication : .stop(.publicationMissing(found.publicationName))
        }
        let unpublished = found.tables.map(\.name).filter { !publication.tables.contains($0) }
        guard unpublished.isEmpty else {
            return .stop(.publicationIncomplete(found.publicationName, tables: unpublished))
        }
        let missing = CaptureFound.Publication.kinds.filter { !publication.publishes.contains($0) }
        guard missing.isEmpty else { return .stop(.publicationPartial(found.publicationName, missing: missing)) }
        return nil
    }

    private static func slot(_ found: CaptureFound) -> CaptureStart? {
        guard let slot = found.slot else { return nil }
        guard slot.plugin == "pgoutput", slot.database == found.database else {
            return .stop(
                .slotForeign(
                    found.slotName,
                    found: "plugin \(slot.plugin ?? "none"), database \(slot.database ?? "none")"))
        }
        guard !slot.isActive else { return .wait(.slotBusy(pid: slot.activePID)) }
        return nil
    }

    /// What our journal, the server and the slot say to each other. Nothing is written that would not stand behind
    /// everything that the journal and its copies ever held.
    private static func position(_ found: CaptureFound) -> CaptureStart {
        let newest = found.history?.number ?? 0
        let ours = found.journal.position
        let last = max(Position(number: found.journal.last.first), ours ?? .zero)
        // The server was set back and kept its timeline.
        guard last.history < newest || LSN(last.lsn) <= found.flushed else { return next(after: newest, found) }
        guard let ours else {
            guard last == .zero else { return .snapshot(dropsSlot: found.slot != nil, mode: .diff(.cutOff)) }
            guard found.slot == nil else {
                return .snapshot(dropsSlot: true, mode: .diff(.journalEmpty(slot: found.slotName)))
            }
            return .snapshot(dropsSlot: false, mode: newest > 1 ? .diff(.newHistory(newest)) : .full)
        }
        guard !found.isOfOlderHistory else {
            return .snapshot(dropsSlot: found.slot != nil, mode: .diff(.newHistory(newest)))
        }
        guard let slot = found.slot else {
            return .snapshot(dropsSlot: false, mode: .diff(.slotMissing(found.slotName)))
        }
        if let cause = slot.lostCause {
            return .snapshot(dropsSlot: true, mode: .diff(.slotLost(found.slotName, cause: cause)))
        }
        let lsn = LSN(ours.lsn)
        guard lsn >= slot.confirmed else {
            return .snapshot(dropsSlot: true, mode: .diff(.journalBehind(ours: lsn, confirmed: slot.confirmed)))
        }
        if let stop = found.unreadable { return .snapshot(dropsSlot: true, mode: .diff(.unreadable(stop))) }
        guard found.journal.shown == nil || found.journal.shown == found.shown else {
            return .snapshot(dropsSlot: true, mode: .diff(.shownOtherwise))
        }
        return .resume(at: lsn)
    }
}
