/// A fixed set of names, each with a number, found by the bytes of the name without building a string.
struct NameTable: Sendable {
    private struct Slot: Sendable {
        var hash: UInt64 = 0
        var value: UInt8 = 0
        /// Where the name stands in `names`; empty for a free slot.
        var start = 0
        var end = 0
    }

    private var slots: [Slot]
    private var names: [UInt8] = []

    init(_ entries: [(String, UInt8)]) {
        slots = Array(repeating: Slot(), count: 256)
        precondition(entries.count < slots.count / 2, "\(entries.count) names crowd the table")
        for (name, value) in entries {
            let start = names.count
            names.append(contentsOf: name.utf8)
            let hash = NameTable.hash(names.span, start..<names.count)
            var index = Int(hash & 255)
            while slots[index].end > slots[index].start { index = (index + 1) & 255 }
            slots[index] = Slot(hash: hash, value: value, start: start, end: names.count)
        }
    }

    func value(of bytes: Span<UInt8>, in range: Range<Int>) -> UInt8? {
        let hash = NameTable.hash(bytes, range)
        var index = Int(hash & 255)
        while true {
            let slot = slots[index]
            if slot.start == slot.end { return nil }
            if slot.hash == hash, equals(slot, bytes, range) { return slot.value }
            index = (index + 1) & 255
        }
    }

    private func equals(_ slot: Slot, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard slot.end - slot.start == range.count else { return false }
        for offset in 0..<range.count where names[slot.start + offset] != bytes[range.lowerBound + offset] {
            return false
        }
        return true
    }

    /// FNV-1a, folded so that its low byte depends on every bit.
    private static func hash(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in range { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01b3 }
        return hash ^ (hash >> 32)
    }
}
