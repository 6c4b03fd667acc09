import Foundation
package import Journal

/// Appends lines to a ledger file. Write a line only when the acknowledgement is there.
///
/// Lines are collected and written by `flush`, in whole; a process killed in between loses the lines of its last flush
/// at most, and a line that was cut is dropped when the file is opened again.
package struct LedgerWriter: ~Copyable {
    private let file: FileHandle
    private var pending: [UInt8] = []
    private var journals: [String: Int] = [:]
    private var runs: [Int64: Int] = [:]
    /// Number of the first run that begins with this writer.
    private let firstRun: Int

    private static let flushSize = 1 << 18

    /// Opens or creates the ledger at `path` and goes on behind its last whole line. Throws what Foundation does.
    package init(path: String) throws {
        if !FileManager.default.fileExists(atPath: path) {
            guard FileManager.default.createFile(atPath: path, contents: nil) else {
                throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: path])
            }
        }
        let url = URL(fileURLWithPath: path)
        let file = try FileHandle(forUpdating: url)
        var reader = try LedgerReader(path: path)
        while try reader.next() != nil {}
        try file.truncate(atOffset: reader.wholeByteCount)
        try file.seekToEnd()
        self.file = file
        for (number, journal) in reader.journals.enumerated() { journals[journal] = number }
        for (number, startTime) in reader.runs.enumerated() { runs[startTime] = number }
        firstRun = reader.runs.count
        if reader.wholeByteCount == 0 { append(LedgerReader.header) }
    }

    /// An event was acknowledged.
    package mutating func acknowledged(
        _ identity: EventIdentity, in journal: String, as entry: EntryID, digest: UInt64
    ) throws {
        let (journal, run) = (number(ofJournal: journal), number(ofRun: identity.startTime))
        append("E \(journal) \(run) \(identity.sequence) \(entry) \(String(digest, radix: 16))")
        try flushIfLarge()
    }

    /// The link broke before an answer came.
    package mutating func unanswered(_ identity: EventIdentity, in journal: String, digest: UInt64) throws {
        let (journal, run) = (number(ofJournal: journal), number(ofRun: identity.startTime))
        append("U \(journal) \(run) \(identity.sequence) \(String(digest, radix: 16))")
        try flushIfLarge()
    }

    /// A transaction's COMMIT was acknowledged, or the link broke before an answer came.
    package mutating func committed(_ transaction: ProducedTransaction) throws {
        var line = "\(transaction.isAnswered ? "T" : "V") \(transaction.number) \(transaction.xid)"
        for object in transaction.touched {
            line += " \(object.name.ledgerText)=\(object.digest.map { String($0, radix: 16) } ?? "-")"
        }
        append(line)
        try flushIfLarge()
    }

    /// Hands all lines to the operating system.
    package mutating func flush() throws {
        guard !pending.isEmpty else { return }
        try file.write(contentsOf: pending)
        pending.removeAll(keepingCapacity: true)
    }

    /// Everything that was produced since the file was opened is recorded. Says nothing of runs before that.
    package mutating func close() throws {
        append("C \(firstRun)")
        try flush()
        try file.close()
    }

    private mutating func flushIfLarge() throws {
        if pending.count >= LedgerWriter.flushSize { try flush() }
    }

    private mutating func append(_ line: String) {
        pending.append(contentsOf: line.utf8)
        pending.append(UInt8(ascii: "\n"))
    }

    private mutating func number(ofJournal key: String) -> Int {
        if let number = journals[key] { return number }
        let number = journals.count
        journals[key] = number
        append("J \(number) \(key)")
        return number
    }

    private mutating func number(ofRun startTime: Int64) -> Int {
        if let number = runs[startTime] { return number }
        let number = runs.count
        runs[startTime] = number
        append("R \(number) \(startTime)")
        return number
    }
}

extension ObjectKey {
    fileprivate var ledgerText: String {
        "\(ObjectKey.escaped(tenant))/\(ObjectKey.escaped(type))/\(ObjectKey.escaped(key))"
    }

    private static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: mustEscape) else { return text }
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if mustEscape(byte) {
                bytes.append(UInt8(ascii: "%"))
                bytes.append(contentsOf: (byte < 16 ? "0" : "").utf8)
                bytes.append(contentsOf: String(byte, radix: 16).utf8)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func mustEscape(_ byte: UInt8) -> Bool {
        byte <= UInt8(ascii: " ") || byte == UInt8(ascii: "%") || byte == UInt8(ascii: "=") || byte == UInt8(ascii: "/")
    }
}
