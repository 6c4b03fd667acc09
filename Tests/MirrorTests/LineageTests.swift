import Journal
import Mirror
import Testing

@Suite("Lineage: whether a copy may be continued")
struct LineageTests {
    private func copy(
        birth: String? = "b", last: UInt64 = 5, generated: UInt64? = nil, isClosed: Bool = false
    ) -> CopyState {
        CopyState(
            birth: birth, last: id(last), count: 5, generated: id(generated ?? last), isClosed: isClosed)
    }

    private func source(
        birth: String = "b", floor: UInt64 = 0, generated: UInt64 = 9, holds: Bool = true, isClosed: Bool = false
    ) -> SourceState {
        SourceState(
            birth: birth, floor: id(floor), generated: id(generated), holdsCursor: holds, isClosed: isClosed)
    }

    private func id(_ number: UInt64) -> EntryID { EntryID(first: number, second: 0) }

    private func verdict(_ copy: CopyState, _ source: SourceState) -> Result<EntryID, Divergence> {
        Result { () throws(Divergence) in try Lineage.resumption(copy: copy, source: source) }
    }

    @Test("a copy whose cursor the source still holds is continued there")
    func continues() {
        #expect(verdict(copy(), source()) == .success(id(5)))
    }

    @Test("an empty copy begins at the beginning")
    func begins() {
        #expect(verdict(copy(last: 0), source(holds: false)) == .success(.zero))
    }

    @Test("a cursor that its owner trimmed last is continued; one below was lost")
    func trimmed() {
        #expect(verdict(copy(), source(floor: 5, holds: false)) == .success(id(5)))
        #expect(verdict(copy(), source(floor: 7, holds: false)) == .failure(.trimmedBeyond))
    }

    @Test("whatever cannot be explained is named")
    func named() {
        #expect(verdict(copy(birth: nil), source()) == .failure(.copyForeign))
        #expect(verdict(copy(isClosed: true), source()) == .failure(.copyClosed))
        #expect(verdict(copy(), source(isClosed: true)) == .failure(.sourceClosed))
        #expect(verdict(copy(), source(birth: "c")) == .failure(.bornAgain))
        #expect(verdict(copy(generated: 6), source()) == .failure(.copyWritten))
        #expect(verdict(copy(), source(generated: 4)) == .failure(.tailLost))
        #expect(verdict(copy(), source(holds: false)) == .failure(.cursorMissing))
    }

    @Test("every divergence has advice", arguments: Divergence.allCases)
    func advises(_ divergence: Divergence) {
        #expect(divergence.advice.count > 20)
    }
}
