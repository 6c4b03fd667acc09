import Journal
import NIOCore
import RESP

@testable import ConfigListener

/// Provisioning journals as a test writes them.
struct ScriptedJournals {
    static let east = JournalName.provisioning(origin: "us-east")
    static let west = JournalName.provisioning(origin: "eu-west")

    var entries: [JournalName: [(id: EntryID, words: [String])]] = [:]

    /// Adds a transaction: one change a line, such as `insert 101 person 7 {}` or `delete 101 person 7`.
    mutating func add(_ journal: JournalName, _ position: UInt64, _ changes: [String], isClosed: Bool = true) {
        var lines = changes.map { Self.words($0) }
        if isClosed {
            let isSnapshot = changes.first?.hasPrefix("begin-snapshot") == true
            lines.append([
                "op", isSnapshot ? "end-snapshot" : "commit", "count", "\(lines.count)", "end", "1", "xid",
                "\(UInt32(truncatingIfNeeded: position))", "time", "1",
            ])
        }
        for (index, line) in lines.enumerated() {
            entries[journal, default: []].append((EntryID(first: position, second: UInt64(index + 1)), line))
        }
    }

    private static func words(_ line: String) -> [String] {
        let words = line.split(separator: " ").map(String.init)
        switch words[0] {
        case "truncate": return ["op", words[0], "type", words[1]]
        case "begin-snapshot": return ["op", words[0]] + (words.count > 1 ? ["mode", words[1]] : [])
        case "unreadable": return ["what", "ever"]
        default:
            let name = ["op", words[0], "tenant", words[1], "type", words[2], "key", words[3]]
            return words.count > 4 ? name + ["data", words[4]] : name
        }
    }

    /// What a read behind a cursor finds.
    func read(_ cursor: JournalCursor, count: Int) -> JournalRead? {
        var builder = EntryBatchBuilder(previous: cursor.last)
        for entry in (entries[cursor.journal] ?? []).filter({ $0.id > cursor.last }).prefix(count) {
            builder.append(id: entry.id, fields: entry.words.count / 2) { strings in
                for word in entry.words { strings.append(word) }
            }
        }
        return builder.batch().map { JournalRead(cursor.journal, $0) }
    }

    /// Does for a reading what it needs, `count` entries a read, and shows what it tells, a step a line.
    func told(behind place: EntryID, upTo bound: UInt64, count: Int = 100) throws -> [String] {
        var reading = ProvisioningReading(
            [Self.east, Self.west], behind: place, upTo: Position(number: bound))
        var lines: [String] = []
        while true {
            let step = reading.next()
            switch step {
            case .read(let cursors): try reading.received(cursors.compactMap { read($0, count: count) })
            case .locate(let journal, let position):
                let last = entries[journal]?.last { $0.id.first == position.number }
                reading.located(
                    journal, position, isClosing: ["commit", "end-snapshot"].contains(last?.words[1] ?? ""))
            case .end: return lines
            case .event, .reload, .closed: lines.append(Self.line(step))
            }
        }
    }

    static func line(_ step: ProvisioningReading.Step) -> String {
        switch step {
        case .event(let event):
            let data = event.data.map { " " + String(decoding: $0, as: UTF8.self) } ?? ""
            return "\(event.id) \(event.kind.rawValue) \(event.name.tenant) \(event.name.type) \(event.name.key)\(data)"
        case .reload(let position, let type): return "\(position) reload \(type ?? "all")"
        case .closed(let position): return "\(position) closed"
        case .read, .locate, .end: return "\(step)"
        }
    }
}
