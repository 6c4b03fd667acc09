import Foundation
import Journal

/// Why a ledger cannot be read: at this line (from 1) stands something else than the writer writes.
package struct LedgerError: Error, Hashable, Sendable, CustomStringConvertible {
    package let line: Int

    package init(line: Int) { self.line = line }

    package var description: String { "line \(line) of the ledger is none" }
}

/// Reads a ledger file line by line, holding about a megabyte of it.
package struct LedgerReader: ~Copyable {
    static let header = "regionsync-ledger 1"
    private static let chunkSize = 1 << 20

    private let file: FileHandle
    private var chunk: [UInt8] = []
    private var position = 0
    private var isAtEnd = false
    private var lineNumber = 0

    /// Keys of the journals, by the numbers that lines use.
    package private(set) var journals: [String] = []
    /// Server start times of the runs, by the numbers that lines use.
    package private(set) var runs: [Int64] = []
    /// Bytes up to and with the last whole line read.
    package private(set) var wholeByteCount: UInt64 = 0

    /// Throws what Foundation does when the file cannot be opened.
    package init(path: String) throws {
        file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    }

    /// The next item, or nil at the end. A last line without its newline was cut and is not given.
    package mutating func next() throws -> LedgerLine? {
        while let range = try nextLine() {
            lineNumber += 1
            wholeByteCount += UInt64(range.count + 1)
            var words = LedgerWords(position: range.lowerBound, end: range.upperBound)
            switch try content(&words) {
            case .header: continue
            case .journal(let key): journals.append(key)
            case .run(let startTime): runs.append(startTime)
            case .line(let line): return line
            }
        }
        return nil
    }

    private mutating func nextLine() throws -> Range<Int>? {
        var searched = position
        while true {
            if let end = chunk[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { position = end + 1 }
                return position..<end
            }
            if isAtEnd { return nil }
            searched = chunk.count - position
            chunk.removeFirst(position)
            position = 0
            if let more = try file.read(upToCount: LedgerReader.chunkSize), !more.isEmpty {
                chunk.append(contentsOf: more)
            } else {
                isAtEnd = true
            }
        }
    }

    private enum Content {
        case header
        case journal(String)
        case run(Int64)
        case line(LedgerLine)
    }

    private func content(_ words: inout LedgerWords) throws(LedgerError) -> Content {
        let error = LedgerError(line: lineNumber)
        let bytes = chunk.span
        guard lineNumber > 1 else {
            guard words.rest(bytes) == LedgerReader.header else { throw error }
            return .header
        }
        guard let kind = words.letter(bytes) else { throw error }
        switch kind {
        case UInt8(ascii: "E"):
            let (journal, identity) = try event(&words, bytes, error)
            guard let first = words.decimal(bytes, end: UInt8(ascii: "-")), let second = words.decimal(bytes),
                let digest = words.hexadecimal(bytes), words.isOver
            else { throw error }
            return .line(.event(journal: journal, identity, EntryID(first: first, second: second), digest: digest))
        case UInt8(ascii: "U"):
            let (journal, identity) = try event(&words, bytes, error)
            guard let digest = words.hexadecimal(bytes), words.isOver else { throw error }
            return .line(.unanswered(journal: journal, identity, digest: digest))
        case UInt8(ascii: "T"), UInt8(ascii: "V"):
            guard let transaction = words.transaction(bytes, isAnswered: kind == UInt8(ascii: "T")) else { throw error }
            return .line(.transaction(transaction))
        case UInt8(ascii: "J"):
            guard words.decimal(bytes) == UInt64(journals.count), let key = words.rest(bytes) else { throw error }
            return .journal(key)
        case UInt8(ascii: "R"):
            guard words.decimal(bytes) == UInt64(runs.count), let start = words.decimal(bytes), words.isOver,
                let startTime = Int64(exactly: start)
            else { throw error }
            return .run(startTime)
        case UInt8(ascii: "C"):
            guard let first = words.decimal(bytes), first <= runs.count, words.isOver else { throw error }
            return .line(.closed(firstRun: Int(first)))
        default:
            throw error
        }
    }

    private func event(
        _ words: inout LedgerWords, _ bytes: Span<UInt8>, _ error: LedgerError
    ) throws(LedgerError) -> (journal: Int, EventIdentity) {
        guard let journal = words.decimal(bytes), journal < journals.count, let run = words.decimal(bytes),
            run < runs.count, let number = words.decimal(bytes), let sequence = Int64(exactly: number)
        else { throw error }
        return (Int(journal), EventIdentity(startTime: runs[Int(run)], sequence: sequence))
    }
}
