import Foundation
import Journal
import Testing
import Traffic

@Suite("Ledger: what was produced, line by line")
struct LedgerTests {
    private let journal = "rs:{101}:voice:us-east"

    /// Runs `body` with the path of a file that is not there yet.
    private func withFile(_ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "ledger-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private func identity(_ number: Int64) -> EventIdentity { EventIdentity(startTime: 5_000, sequence: number) }

    private func lines(_ path: String) throws -> [LedgerLine] {
        var reader = try LedgerReader(path: path)
        var lines: [LedgerLine] = []
        while let line = try reader.next() { lines.append(line) }
        return lines
    }

    private let transaction = ProducedTransaction(
        number: 1, xid: 77,
        touched: [
            TouchedObject(ObjectKey(tenant: "101", type: "person_skill", key: "7:9"), digest: .max),
            TouchedObject(ObjectKey(tenant: "101", type: "a b", key: "x=y/ü %\n"), digest: nil),
        ])

    @Test("what is written is read")
    func roundTrip() throws {
        try withFile { path in
            var writer = try LedgerWriter(path: path)
            try writer.acknowledged(identity(1), in: journal, as: entry(10), digest: 0xfeed)
            try writer.acknowledged(identity(2), in: "rs:{102}:voice:us-east", as: entry(10), digest: 0)
            try writer.unanswered(identity(3), in: journal, digest: 1)
            try writer.committed(transaction)
            try writer.close()
            #expect(
                try lines(path) == [
                    .event(journal: 0, identity(1), entry(10), digest: 0xfeed),
                    .event(journal: 1, identity(2), entry(10), digest: 0),
                    .unanswered(journal: 0, identity(3), digest: 1), .transaction(transaction),
                    .closed(firstRun: 0),
                ])
        }
    }

    @Test("a ledger cut at any byte keeps its whole lines, and goes on behind them")
    func cut() throws {
        try withFile { path in
            var writer = try LedgerWriter(path: path)
            for number in 1...3 {
                try writer.acknowledged(identity(Int64(number)), in: journal, as: entry(UInt64(number)), digest: 9)
            }
            try writer.committed(transaction)
            try writer.close()
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            for length in 0...whole.count {
                try whole.prefix(length).write(to: URL(fileURLWithPath: path))
                let before = try lines(path)
                var again = try LedgerWriter(path: path)
                try again.acknowledged(identity(8), in: "other", as: entry(8), digest: 8)
                try again.close()
                let after = try lines(path)
                #expect(after.dropLast(2) == before[...], "cut at \(length)")
                guard case .closed = after.last else {
                    Issue.record("cut at \(length)")
                    continue
                }
            }
        }
    }

    @Test(
        "a line that is none is named",
        arguments: [
            "E 0 0 1 1-0", "E 1 0 1 1-0 a", "X", "", "T 1", "T 1 2 1/p/3", "R 2 5", "E 0 0 x 1-0 a", "C C", "C", "C 2",
        ])
    func damaged(_ line: String) throws {
        try withFile { path in
            let text = "regionsync-ledger 1\nJ 0 \(journal)\nR 0 5000\n\(line)\nC 0\n"
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            #expect(throws: LedgerError(line: 4)) { try lines(path) }
            try Data("something else\n".utf8).write(to: URL(fileURLWithPath: path))
            #expect(throws: LedgerError(line: 1)) { _ = try LedgerWriter(path: path) }
        }
    }

    @Test("closing ends the runs since the file was opened, not one that was killed before")
    func crashed() throws {
        func run(_ number: Int64, in path: String, closes: Bool) throws {
            var writer = try LedgerWriter(path: path)
            try writer.acknowledged(
                EventIdentity(startTime: number, sequence: 1), in: journal, as: entry(UInt64(number)), digest: 1)
            if closes { try writer.close() } else { try writer.flush() }
        }
        try withFile { path in
            try run(1, in: path, closes: true)
            try run(2, in: path, closes: false)
            try run(3, in: path, closes: true)
            try run(4, in: path, closes: true)
            var ledger = Ledger()
            try ledger.read(path)
            #expect(ledger.openRuns == [2])
            #expect(ledger.eventCount == 4)
        }
    }

    @Test("files of several regions are read into one; the last word about an object counts")
    func merged() throws {
        let name = transaction.touched[0].name
        var ledger = Ledger()
        for number in 1...2 {
            try withFile { path in
                var writer = try LedgerWriter(path: path)
                try writer.acknowledged(
                    EventIdentity(startTime: Int64(number), sequence: 1), in: journal, as: entry(UInt64(9 - number)),
                    digest: 1)
                try writer.committed(transaction)
                let digest: UInt64? = number == 1 ? nil : 5
                let touched = [TouchedObject(name, digest: digest)]
                try writer.committed(ProducedTransaction(number: 2, xid: 78, touched: touched))
                if number == 1 { try writer.close() } else { try writer.flush() }
                try ledger.read(path)
            }
        }
        #expect(ledger.journals[journal]?.events.map(\.entry) == [entry(7), entry(8)])
        #expect(ledger.objects[name] == .present(digest: 5))
        #expect(ledger.openRuns == [2])
        #expect(ledger.transactions.count == 4)
    }
}

func entry(_ number: UInt64) -> EntryID { EntryID(first: number, second: 0) }
