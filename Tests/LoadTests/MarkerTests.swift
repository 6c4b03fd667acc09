import Testing

@testable import regionsync_load

@Suite("Markers of commits")
struct MarkerTests {
    @Test("are found wherever the bytes are cut")
    func cutAnywhere() {
        let bytes = Array("x\u{0}bebench-\u{0}\(Marker.text(7))bench-..\(Marker.text(120))bench-9".utf8)
        for cut in 0...bytes.count {
            var scanner = Marker.Scanner()
            let found = scanner.numbers(in: bytes[..<cut]) + scanner.numbers(in: bytes[cut...])
            #expect(found == [7, 120], "cut at \(cut)")
        }
    }

    @Test("end with a full stop: a number may go on in the next piece")
    func unfinished() {
        var scanner = Marker.Scanner()
        #expect(scanner.numbers(in: "bench-1".utf8) == [])
        #expect(scanner.numbers(in: "2.".utf8) == [12])
    }
}
