import Journal
import Mirror
import Testing

private func id(_ number: UInt64) -> EntryID { EntryID(first: number, second: 0) }

/// A copy of entries 1 to `last`, those up to `floor` trimmed.
private func copy(
    birth: String? = "b", last: UInt64 = 5, generated: UInt64? = nil, floor: UInt64 = 0, count: UInt64? = nil,
    isClosed: Bool = false
) -> CopyState {
    CopyState(
        birth: birth, last: id(last), count: count ?? last, length: last - floor, generated: id(generated ?? last),
        floor: id(floor), isClosed: isClosed)
}

/// A journal of entries 1 to `generated`, asked with cursor 5 unless `found` says what was there.
private func source(
    birth: String = "b", isFormer: Bool = false, floor: UInt64 = 0, generated: UInt64 = 9, added: UInt64? = nil,
    found: UInt64? = 5, passed: UInt64? = 5, missed: UInt64? = 0, isClosed: Bool = false
) -> SourceState {
    SourceState(
        birth: birth, isFormerBirth: isFormer, floor: id(floor), generated: id(generated), added: added ?? generated,
        found: found.map { id($0) }, passed: passed, missed: missed, isClosed: isClosed)
}

private func verdict(_ copy: CopyState, _ source: SourceState, of topic: Topic = .voice) -> Verdict {
    Lineage.verdict(on: topic, copy: copy, source: source)
}

private func resumes(at cursor: UInt64, lost: UInt64 = 0, hasGap: Bool = false) -> Verdict {
    .resume(Resumption(cursor: id(cursor), lost: lost, hasGap: hasGap))
}

@Suite("Lineage: whether a copy may be continued")
struct LineageTests {
    @Test(
        "a copy whose cursor the source still holds is continued there", arguments: [.voice, .provisioning] as [Topic])
    func continues(topic: Topic) {
        #expect(verdict(copy(), source(), of: topic) == resumes(at: 5))
        #expect(verdict(copy(), source(passed: nil), of: topic) == resumes(at: 5))
    }

    @Test("an empty copy begins at the beginning", arguments: [.voice, .provisioning] as [Topic])
    func begins(topic: Topic) {
        #expect(verdict(copy(last: 0), source(found: nil, passed: 0), of: topic) == resumes(at: 0))
        #expect(verdict(copy(last: 0), source(generated: 0, found: nil, passed: 0), of: topic) == resumes(at: 0))
    }

    @Test("an empty copy of a beheaded journal has lost the head; of provisioning its region hears")
    func beheaded() {
        let beheaded = source(floor: 3, found: nil, passed: 3)
        #expect(verdict(copy(last: 0), beheaded) == resumes(at: 0, lost: 3))
        #expect(verdict(copy(last: 0), beheaded, of: .control) == resumes(at: 0, lost: 3))
        #expect(verdict(copy(last: 0), beheaded, of: .provisioning) == resumes(at: 0, lost: 3, hasGap: true))
        // Once for each gap.
        #expect(verdict(copy(), source(passed: 7), of: .provisioning) == resumes(at: 5, lost: 2, hasGap: true))
        #expect(verdict(copy(), source(passed: 7, missed: 2), of: .provisioning) == resumes(at: 5))
        #expect(verdict(copy(), source(passed: nil, missed: 2), of: .provisioning) == resumes(at: 5))
    }

    @Test("what left before a peer first had a copy is no loss")
    func joins() {
        let beheaded = source(floor: 3, found: nil, passed: 3, missed: nil)
        #expect(verdict(copy(last: 0), beheaded) == resumes(at: 0))
        #expect(verdict(copy(last: 0), beheaded, of: .provisioning) == resumes(at: 0, hasGap: true))
        let deleted = source(floor: 3, generated: 0, found: nil, passed: 0, missed: nil)
        #expect(verdict(copy(last: 0), deleted, of: .provisioning) == resumes(at: 0, hasGap: true))
    }

    @Test("a cursor that was trimmed last is continued; what was trimmed behind it is lost, once")
    func trimmed() {
        for topic in [Topic.voice, .provisioning] {
            #expect(verdict(copy(), source(floor: 5, found: nil), of: topic) == resumes(at: 5))
        }
        for floor: UInt64 in [0, 7] {
            let trimmed = source(floor: floor, found: nil, passed: 7)
            #expect(verdict(copy(), trimmed) == resumes(at: 5, lost: 2))
            #expect(verdict(copy(), trimmed, of: .provisioning) == resumes(at: 5, lost: 2, hasGap: true))
        }
        #expect(verdict(copy(), source(floor: 7, found: nil, passed: 7, missed: 2)) == resumes(at: 5))
    }

    @Test("a copy of a former mark that holds nothing else is given the present one; so is an empty one")
    func adopts() {
        #expect(verdict(copy(birth: "a"), source(isFormer: true)) == .adopt)
        #expect(verdict(copy(birth: "a"), source(isFormer: true, generated: 4)) == .parted(.tailLost))
        #expect(verdict(copy(birth: "a"), source(isFormer: true, found: 4, passed: 4)) == .parted(.cursorMissing))
        #expect(verdict(copy(birth: "a", last: 0), source()) == .adopt)
    }

    @Test("whatever cannot be explained is named")
    func named() {
        #expect(verdict(copy(birth: nil), source()) == .stop(.copyForeign))
        #expect(verdict(copy(isClosed: true), source()) == .stop(.copyClosed))
        #expect(verdict(copy(), source(isClosed: true)) == .stop(.sourceClosed))
        #expect(verdict(copy(generated: 6), source()) == .stop(.copyWritten))
        #expect(verdict(copy(), source(birth: "c")) == .parted(.bornAgain))
        #expect(verdict(copy(), source(generated: 4)) == .parted(.tailLost))
        #expect(verdict(copy(), source(found: 4, passed: 4)) == .parted(.cursorMissing))
        #expect(verdict(copy(), source(found: nil, passed: 2)) == .parted(.cursorMissing))
        // The entry is there, but fewer than the copy holds were added before it.
        #expect(verdict(copy(), source(passed: 4)) == .parted(.cursorMissing))
    }

    @Test("every divergence has advice", arguments: Divergence.allCases)
    func advises(_ divergence: Divergence) {
        #expect(divergence.advice.count > 20)
    }
}

@Suite("Lineage: what becomes of a copy that parted from its journal")
struct MendingTests {
    private func mending(
        _ divergence: Divergence, of topic: Topic = .voice, _ copy: CopyState, _ source: SourceState,
        common: UInt64, isCopyShort: Bool = false, isAbove: Bool = true, trimmed: UInt64 = 0
    ) -> Mending {
        Lineage.mending(
            divergence, of: topic, copy: copy, source: source,
            parting: Parting(
                common: id(common), isCopyShort: isCopyShort, isAbove: isAbove && source.generated >= copy.last),
            trimmed: trimmed)
    }

    private func healing(
        birth: String = "b", behind: UInt64, gap: UInt64 = 0, floor: UInt64? = nil
    ) -> Mending {
        let rebirth = Rebirth(birth: birth, minimum: nil, common: id(behind))
        let healing = Healing(
            birth: birth, behind: id(behind), gap: gap, floor: floor.map { id($0) }, former: birth == "b" ? nil : "b")
        return .heal(birth == "b" ? nil : rebirth, healing)
    }

    @Test("a journal that only lost its tail gets it back", arguments: [.voice, .provisioning, .control] as [Topic])
    func heals(topic: Topic) {
        let lost = source(generated: 3)
        #expect(mending(.tailLost, of: topic, copy(), lost, common: 3) == healing(behind: 3))
    }

    @Test("a gap that neither can fill is counted; provisioning does not go on behind one")
    func healsBehindGap() {
        let lost = source(generated: 2)
        let trimmed = copy(floor: 3)  // 4 and 5 are left
        #expect(mending(.tailLost, trimmed, lost, common: 2, isCopyShort: true) == healing(behind: 2, gap: 1, floor: 3))
        guard case .fork = mending(.tailLost, of: .provisioning, trimmed, lost, common: 2, isCopyShort: true) else {
            Issue.record("provisioning went on behind a gap")
            return
        }
    }

    @Test("an emptied voice journal gets back what the copy still has; others begin anew")
    func fillsEmptied() {
        let emptied = source(birth: "c", generated: 0, missed: nil)
        #expect(
            mending(.bornAgain, copy(floor: 3), emptied, common: 0, isCopyShort: true)
                == healing(birth: "c", behind: 0, gap: 3, floor: 3))
        for topic in [Topic.provisioning, .control] {
            guard case .fork = mending(.bornAgain, of: topic, copy(), emptied, common: 0, isCopyShort: true) else {
                Issue.record("\(topic) was filled from a copy")
                return
            }
        }
    }

    @Test("where something new came, the copy is set aside and the new one begins with what both have")
    func forks() {
        // 4 and 5 were lost; 8 and 9 are new.
        let found = mending(.cursorMissing, copy(), source(added: 5, found: 3, passed: 3), common: 3)
        let parted = PartedEntries(behind: id(3), through: id(5))
        let rebirth = Rebirth(birth: "b", minimum: nil, common: id(3), parted: parted)
        let fork = Fork(
            cause: "cursor-missing", copyBirth: "b", last: id(5), common: id(5), keep: id(3), count: nil,
            parted: parted)
        #expect(found == .fork(rebirth, fork))
        // Where the clock went back, what is new may stand below what the projection has seen.
        let below = mending(
            .cursorMissing, copy(), source(added: 5, found: 3, passed: 3), common: 3, isAbove: false)
        guard case .fork(_, let turned) = below else {
            Issue.record("no fork")
            return
        }
        #expect(turned.common == id(3))
    }

    @Test("a journal that was created anew gives out no ID that its copies have seen")
    func raises() {
        let found = mending(
            .bornAgain, copy(last: 50), source(birth: "c", generated: 7), common: 0, isCopyShort: true)
        let parted = PartedEntries(behind: .zero, through: id(50))
        let rebirth = Rebirth(birth: "c", minimum: id(50), common: .zero, parted: parted)
        let fork = Fork(
            cause: "born-again", copyBirth: "b", last: id(50), common: .zero, keep: .zero, count: 0, parted: parted)
        #expect(found == .fork(rebirth, fork))
        // Positions rise by themselves, and capture would take a raised journal for one with entries.
        guard
            case .fork(let other, _) = mending(
                .bornAgain, of: .provisioning, copy(last: 50), source(birth: "c", generated: 7), common: 0,
                isCopyShort: true)
        else {
            Issue.record("no fork")
            return
        }
        #expect(other.minimum == nil)
    }

    @Test("a journal that went back behind a fork is still the beginning of what its copy holds")
    func healsUnderOtherMark() {
        let back = source(birth: "a", generated: 3, added: 3, found: 3, passed: 3)
        #expect(mending(.bornAgain, copy(), back, common: 3) == healing(birth: "a", behind: 3))
    }

    @Test(
        "a journal that went back behind a fork, and on: it gets a mark that no closed copy has, and so does the copy")
    func takesMark() {
        let ahead = source(birth: "a")
        let rebirth = Rebirth(birth: "a", minimum: nil, common: id(5))
        let adoption = Adoption(birth: "a", copyBirth: "b", last: id(5), count: nil)
        #expect(mending(.bornAgain, copy(), ahead, common: 5) == .adopt(rebirth, adoption))
    }

    @Test("a copy that has more than the journal in between is set aside whole, and shipped again")
    func partsWithin() {
        guard case .fork(_, let fork) = mending(.cursorMissing, copy(count: 7), source(), common: 5, trimmed: 1) else {
            Issue.record("no fork")
            return
        }
        #expect((fork.keep, fork.common, fork.count, fork.lost) == (.zero, id(5), 1, 2))
    }

    @Test("a copy that begins behind the common entries counts those that left the journal as had")
    func countsTrimmed() {
        guard
            case .fork(_, let fork) = mending(
                .cursorMissing, copy(last: 50, floor: 40), source(floor: 20, generated: 90, found: 30, passed: 30),
                common: 30, isCopyShort: true, trimmed: 20)
        else {
            Issue.record("no fork")
            return
        }
        #expect((fork.keep, fork.common, fork.count) == (.zero, id(50), 20))
    }
}
