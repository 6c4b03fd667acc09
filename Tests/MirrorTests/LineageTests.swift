import Journal
import Mirror
import Testing

@Suite("Lineage: whether a copy may be continued")
struct LineageTests {
    private func copy(
        birth: String? = "b", last: UInt64 = 5, generated: UInt64? = nil, isClosed: Bool = false
    ) -> CopyState {
        CopyState(
            birth: birth, last: id(last), count: last, generated: id(generated ?? last), isClosed: isClosed)
    }

    /// A journal of entries 1 to `generated`, asked with cursor 5 unless `found` says what was there.
    private func source(
        birth: String = "b", floor: UInt64 = 0, generated: UInt64 = 9, found: UInt64? = 5, passed: UInt64? = 5,
        missed: UInt64 = 0, isClosed: Bool = false
    ) -> SourceState {
        SourceState(
            birth: birth, floor: id(floor), generated: id(generated), found: found.map { id($0) }, passed: passed,
            missed: missed, isClosed: isClosed)
    }

    private func id(_ number: UInt64) -> EntryID { EntryID(first: number, second: 0) }

    private func verdict(
        _ copy: CopyState, _ source: SourceState, of topic: Topic = .voice
    ) -> Result<Resumption, Divergence> {
        Result { () throws(Divergence) in try Lineage.resumption(of: topic, copy: copy, source: source) }
    }

    private func resumes(at cursor: UInt64, lost: UInt64 = 0) -> Result<Resumption, Divergence> {
        .success(Resumption(cursor: id(cursor), lost: lost))
    }

    @Test(
        "a copy whose cursor the source still holds is continued there", arguments: [.voice, .provisioning] as [Topic])
    func continues(topic: Topic) {
        #expect(verdict(copy(), source(), of: topic) == resumes(at: 5))
        #expect(verdict(copy(), source(passed: nil), of: topic) == resumes(at: 5))
    }

    @Test("an empty copy begins at the beginning", arguments: [.voice, .provisioning] as [Topic])
    func begins(topic: Topic) {
        #expect(verdict(copy(last: 0), source(found: nil, passed: 0), of: topic) == resumes(at: 0))
        #expect(verdict(copy(last: 0), source(generated: 0, found: nil, passed: nil), of: topic) == resumes(at: 0))
    }

    @Test("an empty copy of a beheaded journal has lost the head; provisioning cannot do without it")
    func beheaded() {
        let source = source(floor: 3, found: nil, passed: 3)
        #expect(verdict(copy(last: 0), source) == resumes(at: 0, lost: 3))
        #expect(verdict(copy(last: 0), source, of: .control) == resumes(at: 0, lost: 3))
        #expect(verdict(copy(last: 0), source, of: .provisioning) == .failure(.trimmedBeyond))
        // Also when the copy went on behind the gap, until the counts agree again.
        #expect(verdict(copy(), self.source(passed: 7), of: .provisioning) == .failure(.trimmedBeyond))
        #expect(verdict(copy(), self.source(passed: 7, missed: 2), of: .provisioning) == .failure(.trimmedBeyond))
        #expect(verdict(copy(), self.source(passed: nil, missed: 2), of: .provisioning) == .failure(.trimmedBeyond))
        #expect(verdict(copy(), self.source(missed: 2), of: .provisioning) == resumes(at: 5))
        let deleted = self.source(floor: 3, generated: 0, found: nil, passed: nil)
        #expect(verdict(copy(last: 0), deleted, of: .provisioning) == .failure(.trimmedBeyond))
    }

    @Test("a cursor that was trimmed last is continued; what was trimmed behind it is lost, once")
    func trimmed() {
        for topic in [Topic.voice, .provisioning] {
            #expect(verdict(copy(), source(floor: 5, found: nil), of: topic) == resumes(at: 5))
        }
        for floor: UInt64 in [0, 7] {
            let source = source(floor: floor, found: nil, passed: 7)
            #expect(verdict(copy(), source) == resumes(at: 5, lost: 2))
            #expect(verdict(copy(), source, of: .provisioning) == .failure(.trimmedBeyond))
        }
        #expect(verdict(copy(), source(floor: 7, found: nil, passed: 7, missed: 2)) == resumes(at: 5))
    }

    @Test("whatever cannot be explained is named")
    func named() {
        #expect(verdict(copy(birth: nil), source()) == .failure(.copyForeign))
        #expect(verdict(copy(isClosed: true), source()) == .failure(.copyClosed))
        #expect(verdict(copy(), source(isClosed: true)) == .failure(.sourceClosed))
        #expect(verdict(copy(), source(birth: "c")) == .failure(.bornAgain))
        #expect(verdict(copy(generated: 6), source()) == .failure(.copyWritten))
        #expect(verdict(copy(), source(generated: 4)) == .failure(.tailLost))
        #expect(verdict(copy(), source(found: 4, passed: 4)) == .failure(.cursorMissing))
        #expect(verdict(copy(), source(found: nil, passed: 2)) == .failure(.cursorMissing))
    }

    @Test("every divergence has advice", arguments: Divergence.allCases)
    func advises(_ divergence: Divergence) {
        #expect(divergence.advice.count > 20)
    }
}
