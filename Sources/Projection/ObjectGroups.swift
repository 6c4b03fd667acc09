internal import Journal
internal import NIOCore
internal import RESP

/// Changes of one tenant's objects, as the words of a call: a group a type, in the order in which the changes came.
struct ObjectGroups: Sendable {
    private struct Group: Sendable {
        let layout: IndexLayout
        var objects = 0
        var words = BulkStrings()
    }

    private var groups: [Group] = []
    private(set) var objects = 0
    /// Bytes of all groups on the wire, about.
    private(set) var byteCount = 0

    var isEmpty: Bool { objects == 0 }

    /// The words behind those of the call.
    var runs: [BulkStrings] {
        groups.filter { $0.objects > 0 }.flatMap { group in
            var head = BulkStrings()
            head.append(integer: group.objects)
            head.append(contentsOf: group.layout.head)
            return [head, group.words]
        }
    }

    /// The object is now exactly this row. Nothing is added when the row cannot be read.
    mutating func put(
        _ name: ProvisioningEntry.ObjectName, data: ByteBufferView, version: Position, layouts: IndexLayouts,
        writer: inout ObjectRowWriter
    ) throws(UnreadableRow) {
        let index = group(of: name.type, layouts)
        let before = groups[index].words.byteCount
        try writer.put(
            name, data: data, version: version, layout: groups[index].layout, to: &groups[index].words)
        count(index, groups[index].words.byteCount - before)
    }

    /// The object is gone.
    mutating func delete(_ name: ProvisioningEntry.ObjectName, layouts: IndexLayouts) {
        let index = group(of: name.type, layouts)
        let before = groups[index].words.byteCount
        ObjectRowWriter.delete(name, to: &groups[index].words)
        count(index, groups[index].words.byteCount - before)
    }

    private mutating func group(of type: String, _ layouts: IndexLayouts) -> Int {
        if let index = groups.lastIndex(where: { $0.layout.type == type }) { return index }
        groups.append(Group(layout: layouts[type]))
        return groups.count - 1
    }

    private mutating func count(_ index: Int, _ bytes: Int) {
        groups[index].objects += 1
        objects += 1
        byteCount += bytes
    }
}
