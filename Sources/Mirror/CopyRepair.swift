package import Journal

/// Mends one copy: finds out where its history and its journal's part, and has done what `Lineage.mending` says.
///
/// One action at a time: the driver performs it, reports what came of it, and asks for the next until there is none; then
/// the copy is aligned anew. It may be left anywhere: each step is one guarded call, and what is to be done next shows in
/// what was done.
package struct CopyRepair: Sendable {
    package enum Action: Hashable, Sendable {
        /// The newest entry of the journal up to here; answer with `sourceHolds`.
        case findInSource(through: EntryID)
        /// The same of the copy; answer with `copyHolds`.
        case findInCopy(through: EntryID)
        /// Give the copy the journal's mark; answer with `adopted`.
        case adopt(Adoption)
        /// Read the copy behind this entry; answer with `tailRead`.
        case readTail(behind: EntryID)
        /// Append what was read of the copy to the journal, or nothing where it had nothing more; answer with `healed`.
        case heal(Healing)
        /// Answer with `reborn`.
        case rebear(Rebirth)
        /// Set the copy aside; `birth` is the new one's. Answer with `forked`.
        case fork(Fork, birth: String)
    }

    private enum State: Sendable {
        /// The newest entry of the journal up to here is sought in the copy. → matching
        case seeking(through: EntryID)
        /// The copy is asked for that entry, or for this ID where the journal holds none that old. → seeking, and what
        /// `Lineage.mending` says
        case matching(EntryID, KeptEntry?)
        /// → done
        case adopting(Adoption)
        /// The next piece of the copy's tail is read. → healing
        case reading(Healing)
        /// → reading, done
        case healing(Healing, isLast: Bool)
        /// → forking, adopting, reading
        case rebearing(Rebirth, Reborn)
        /// → done
        case forking(Fork, birth: String)
        /// Final.
        case done
    }

    /// What comes behind a rebirth.
    private enum Reborn: Sendable {
        case fork(Fork)
        case adopt(Adoption)
        case heal(Healing)
    }

    private let topic: Topic
    private let divergence: Divergence?
    private let copy: CopyState
    private let source: SourceState
    private let trimmed: UInt64
    private var state: State
    /// Whether the journal holds nothing that was looked for in vain.
    private var isFirst = true

    /// A copy that parted from its journal. `copy`, `source` and `trimmed`, how many entries have left the journal, are
    /// what both ends said just now.
    package init(
        of topic: Topic, _ divergence: Divergence, copy: CopyState, source: SourceState, trimmed: UInt64
    ) {
        self.topic = topic
        self.divergence = divergence
        self.copy = copy
        self.source = source
        self.trimmed = trimmed
        state = .seeking(through: copy.last)
    }

    /// A copy that only lacks its journal's present mark.
    package init(adopting copy: CopyState, source: SourceState) {
        topic = .voice
        divergence = nil
        self.copy = copy
        self.source = source
        trimmed = 0
        state = .adopting(
            Adoption(
                birth: source.birth, copyBirth: copy.birth ?? "", last: copy.last,
                count: source.isFormerBirth ? nil : 0))
    }

    // MARK: Facts

    package mutating func sourceHolds(_ entry: KeptEntry?) {
        guard case .seeking(let upper) = state else { return }
        if let entry, entry.id <= upper {
            // The journal is being healed from another peer's copy: what it was when it was asked says nothing any more.
            guard entry.id <= source.generated else { return state = .done }
            state = .matching(entry.id, entry)
        } else {
            // Nothing that old is left. Where nothing was there at all, the last ID given out stands for what was.
            let isEmpty = upper == copy.last && source.generated <= copy.last
            state = .matching(isEmpty ? source.generated : source.floor, nil)
        }
    }

    package mutating func copyHolds(_ found: KeptEntry?) {
        guard case .matching(let id, let entry) = state else { return }
        guard let found, found.id <= id else { return mend(assumedParting(at: id)) }
        if found.id == id, entry == nil || entry == found {
            mend(Parting(common: id, isCopyShort: false, isAbove: isAbove))
        } else if entry == nil {
            mend(Parting(common: .zero, isCopyShort: true, isAbove: isAbove))
        } else if let next = found.id == id ? id.predecessor : found.id {
            isFirst = false
            state = .seeking(through: next)
        } else {
            mend(Parting(common: .zero, isCopyShort: true, isAbove: false))
        }
    }

    /// Whether the journal holds nothing of its own up to the copy's end, nor will.
    private var isAbove: Bool { isFirst && source.generated >= copy.last }

    /// Where the copy holds nothing as old as what the journal has at `id`: it had that, if it was trimmed there.
    private func assumedParting(at id: EntryID) -> Parting {
        let isKnown = copy.birth == source.birth || source.isFormerBirth
        let isBeheaded = copy.floor >= id || (source.missed ?? 0) > 0
        let common = isKnown && isBeheaded ? id : .zero
        return Parting(common: common, isCopyShort: true, isAbove: common == id && isAbove)
    }

    package mutating func adopted() {
        if case .adopting = state { state = .done }
    }

    /// What the copy holds ends with `last`, or is nothing.
    package mutating func tailRead(through last: EntryID?) {
        guard case .reading(var healing) = state else { return }
        let isLast = last.map { $0 >= copy.last } ?? true
        // The last entries may be gone from the copy; their IDs are not given out again.
        if last == nil {
            guard healing.behind < copy.last else { return state = .done }
            healing.raise = copy.last
        }
        state = .healing(healing, isLast: isLast)
    }

    package mutating func healed(upTo last: EntryID) {
        guard case .healing(let healing, let isLast) = state else { return }
        guard !isLast else { return state = .done }
        state = .reading(Healing(birth: healing.birth, behind: last, gap: 0, former: healing.former))
    }

    package mutating func reborn(_ birth: String) {
        switch state {
        case .rebearing(_, .fork(let fork)): state = .forking(fork, birth: birth)
        case .rebearing(_, .adopt(let adoption)):
            state = .adopting(
                Adoption(birth: birth, copyBirth: adoption.copyBirth, last: adoption.last, count: adoption.count))
        case .rebearing(_, .heal(var healing)):
            healing.birth = birth
            state = .reading(healing)
        default: break
        }
    }

    package mutating func forked() {
        if case .forking = state { state = .done }
    }

    // MARK: Actions

    /// What to do now; nil when there is nothing left.
    package func nextAction() -> Action? {
        switch state {
        case .seeking(let upper): .findInSource(through: upper)
        case .matching(let id, _): .findInCopy(through: id)
        case .adopting(let adoption): .adopt(adoption)
        case .reading(let healing): .readTail(behind: healing.behind)
        case .healing(let healing, _): .heal(healing)
        case .rebearing(let rebirth, _): .rebear(rebirth)
        case .forking(let fork, let birth): .fork(fork, birth: birth)
        case .done: nil
        }
    }

    private mutating func mend(_ parting: Parting) {
        guard let divergence else { return state = .done }
        let mending = Lineage.mending(
            divergence, of: topic, copy: copy, source: source, parting: parting, trimmed: trimmed)
        switch mending {
        case .adopt(let rebirth, let adoption): state = .rebearing(rebirth, .adopt(adoption))
        case .heal(let rebirth?, let healing): state = .rebearing(rebirth, .heal(healing))
        case .heal(nil, let healing): state = .reading(healing)
        case .fork(let rebirth, let fork): state = .rebearing(rebirth, .fork(fork))
        }
    }
}
