/// A table for people: columns as wide as their widest cell.
package struct TextTable: Sendable {
    /// How a column's cells stand.
    package enum Alignment: Sendable {
        case left, right
    }

    private let alignments: [Alignment]
    private var lines: [[String]]

    /// A table with these headings.
    package init(_ columns: [(heading: String, alignment: Alignment)]) {
        alignments = columns.map(\.alignment)
        lines = [columns.map(\.heading)]
    }

    /// Adds a line; cells beyond the columns are left out.
    package mutating func add(_ cells: [String]) {
        lines.append(Array(cells.prefix(alignments.count)))
    }

    /// Whether there are lines below the headings.
    package var isEmpty: Bool { lines.count == 1 }

    /// The lines, each ended by a line feed.
    package var text: String {
        let widths = alignments.indices.map { column in
            lines.reduce(0) { max($0, column < $1.count ? $1[column].count : 0) }
        }
        return lines.map { line in
            let cells = line.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return alignments[column] == .left ? cell + padding : padding + cell
            }
            return cells.joined(separator: "  ").trimmingSuffix(" ") + "\n"
        }.joined()
    }
}

extension String {
    fileprivate func trimmingSuffix(_ character: Character) -> String {
        var text = self[...]
        while text.last == character { text.removeLast() }
        return String(text)
    }
}
