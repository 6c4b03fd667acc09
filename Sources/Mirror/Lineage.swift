package import Journal

/// Where a copy is continued.
package struct Resumption: Hashable, Sendable {
    /// The entry to read behind.
    package let cursor: EntryID
    /// Entries that left the journal before this copy had them, beyond those known before.
    package let lost: UInt64
    /// Whether the copy goes on behind a gap that its region has to hear of: what is folded from it is not all.
    package let hasGap: Bool

    package init(cursor: EntryID, lost: UInt64, hasGap: Bool = false) {
        self.cursor = cursor
        self.lost = lost
        self.hasGap = hasGap
    }
}

/// How a journal and its copy stand to each other.
package enum Verdict: Hashable, Sendable {
    /// The copy is continued.
    case resume(Resumption)
    /// The copy is right and needs the journal's present mark.
    case adopt
    /// Their histories differ: where, has to be found out, and then it mends itself.
    case parted(Divergence)
    /// An operator has to mend it.
    case stop(Divergence)
}

/// Where two histories part.
package struct Parting: Hashable, Sendable {
    /// The newest entry that both had; zero for none.
    package let common: EntryID
    /// Whether the copy holds nothing up to there: it was trimmed, or began later.
    package let isCopyShort: Bool
    /// Whether whatever the journal has beyond stands above all that the copy has.
    package let isAbove: Bool

    package init(common: EntryID, isCopyShort: Bool, isAbove: Bool) {
        self.common = common
        self.isCopyShort = isCopyShort
        self.isAbove = isAbove
    }
}

/// What is done about a copy whose history is not its journal's.
package enum Mending: Hashable, Sendable {
    /// The journal holds all that the copy does. It went back behind a fork, so that its mark may be that of a closed copy.
    case adopt(Rebirth, Adoption)
    /// The journal gets back what only the copy has; a new mark first, if the copy has another one.
    case heal(Rebirth?, Healing)
    case fork(Rebirth, Fork)
}

/// Decides whether a copy may be continued, and where; else what becomes of it (journal.md, mirror rules 1 and 2).
package enum Lineage {
    /// Whether to go on.
    ///
    /// A copy goes on behind a gap. Voice entries that are gone are gone; what a provisioning journal no longer tells, a peer
    /// takes from PostgreSQL, once it has heard of the gap.
    package static func verdict(on topic: Topic, copy: CopyState, source: SourceState) -> Verdict {
        guard let birth = copy.birth else { return .stop(.copyForeign) }
        if copy.isClosed { return .stop(.copyClosed) }
        if source.isClosed { return .stop(.sourceClosed) }
        if copy.generated != copy.last { return .stop(.copyWritten) }
        if birth != source.birth, !source.isFormerBirth {
            return copy.last == .zero ? .adopt : .parted(.bornAgain)
        }
        if copy.last > source.generated { return .parted(.tailLost) }
        // Every entry of the copy was added to the journal before.
        if let passed = source.passed, passed < copy.count { return .parted(.cursorMissing) }
        // A clock that went back may give out an ID twice.
        if source.found == copy.last, let own = source.digest, let other = copy.digest, own != other {
            return .parted(.cursorMissing)
        }
        let passed = source.passed ?? copy.count + (source.missed ?? 0)
        // All up to the cursor is gone: trimmed, since no fewer were ever added than the copy holds.
        let isTrimmed = source.found == nil && (source.passed != nil || copy.last <= source.floor)
        guard source.found == copy.last || isTrimmed else { return .parted(.cursorMissing) }
        guard birth == source.birth else { return .adopt }
        // What left before a peer ever had a copy is no loss.
        let missed = source.missed ?? passed - copy.count
        let known = copy.count + missed
        let lost = passed > known ? passed - known : 0
        let isShortened = source.missed == nil && (passed > copy.count || copy.last < source.floor)
        return .resume(
            Resumption(cursor: copy.last, lost: lost, hasGap: topic == .provisioning && (lost > 0 || isShortened)))
    }

    /// What to do once it is known where the histories part; `trimmed` is how many entries have left the journal.
    ///
    /// A journal that only lost its tail gets it back, whatever its mark: all it has is in the copy. Where something new came
    /// meanwhile nothing is guessed: the copy is set aside, and the new one begins with what both have. A provisioning
    /// journal that was emptied is filled by capture, never from a copy, which may have been trimmed; nor is `control`,
    /// whose mark tells that the server is another than before.
    package static func mending(
        _ divergence: Divergence, of topic: Topic, copy: CopyState, source: SourceState, parting: Parting,
        trimmed: UInt64
    ) -> Mending {
        let copyBirth = copy.birth ?? ""
        let missed = source.missed ?? 0
        let (held, present) = (copy.count + missed, copy.length + source.added)
        let gap = parting.isCopyShort && held > present ? held - present : 0
        let isKnown = parting.common > .zero || copyBirth == source.birth
        let mayHeal = topic == .provisioning ? isKnown && gap == 0 : isKnown || topic == .voice
        if parting.common == source.generated, parting.common < copy.last, mayHeal {
            let isSame = copyBirth == source.birth
            let rebirth = Rebirth(birth: source.birth, minimum: nil, common: parting.common)
            let healing = Healing(
                birth: source.birth, behind: source.generated, gap: gap, floor: gap > 0 ? copy.floor : nil,
                former: isSame ? nil : copyBirth)
            return .heal(isSame ? nil : rebirth, healing)
        }
        // All that the journal has up to here is in the copy; if that has more, they part before and then went on alike.
        let isWithin = parting.common == copy.last
        let extra = source.passed.map { copy.count > $0 ? copy.count - $0 : 0 } ?? 0
        let parted =
            topic == .voice && !isWithin ? PartedEntries(behind: parting.common, through: copy.last) : nil
        let rebirth = Rebirth(
            birth: source.birth,
            minimum: topic != .provisioning && source.generated < copy.last ? copy.last : nil,
            common: parting.common, parted: parted)
        if isWithin, extra == 0, copyBirth != source.birth {
            return .adopt(
                rebirth, Adoption(birth: source.birth, copyBirth: copyBirth, last: copy.last, count: nil))
        }
        let keep = parting.isCopyShort || isWithin ? .zero : parting.common
        // An empty copy counts what it had of the entries that have left the journal.
        let begins = parting.common > .zero && trimmed > missed ? trimmed - missed : 0
        let fork = Fork(
            cause: divergence.rawValue, copyBirth: copyBirth, last: copy.last, floor: copy.floor,
            common: parting.isAbove ? copy.last : parting.common, keep: keep,
            count: keep > .zero ? nil : begins, lost: isWithin ? extra : nil, parted: parted)
        return .fork(rebirth, fork)
    }
}
