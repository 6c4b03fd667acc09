/// The columns of a relation as the members of a JSON object, written once and copied for every row.
package struct RowLayout: Sendable {
    /// `,"dbid":,"name":` …; the comma of a row's first member is overwritten by the brace.
    /// Eight bytes of padding follow the last.
    let members: [UInt8]
    /// Where each column's member ends in `members`.
    let ends: [Int]

    /// A layout of `columns` in this order.
    package init(columns: [String]) {
        var members: [UInt8] = []
        var ends: [Int] = []
        for column in columns {
            members.append(UInt8(ascii: ","))
            RowData.append(quoted: column, to: &members)
            members.append(UInt8(ascii: ":"))
            ends.append(members.count)
        }
        self.members = members + [UInt8](repeating: 0, count: 8)
        self.ends = ends
    }

    /// Number of columns.
    package var count: Int { ends.count }
}

/// The `data` field of a provisioning entry: a JSON object, column → text or null (journal.md).
package enum RowData {
    /// Appends `text` as a JSON string.
    package static func append(quoted text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if let escape = JSONEscape(byte) {
                for place in 0..<escape.count { bytes.append(UInt8(truncatingIfNeeded: escape.bytes >> (8 * place))) }
            } else {
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
