internal import Foundation

/// What was found for one or more region files, and how it is shown.
package struct FindingReport: Hashable, Sendable {
    /// The findings of one region file, in the order in which they were looked for.
    package struct Section: Hashable, Sendable, Encodable {
        package let region: String
        package let file: String
        package let findings: [Finding]

        /// What was found for the region that `file` describes.
        package init(region: String, file: String, findings: [Finding]) {
            self.region = region
            self.file = file
            self.findings = findings
        }
    }

    package let sections: [Section]

    /// A report on region files, in this order.
    package init(_ sections: [Section]) {
        self.sections = sections
    }

    /// How many findings are of this severity.
    package func count(_ severity: Finding.Severity) -> Int {
        sections.reduce(0) { $0 + $1.findings.count { $0.severity == severity } }
    }

    /// Whether a worker may start.
    package var isClean: Bool { count(.error) == 0 }

    /// `2 errors, 1 warning`, `no errors`.
    package var summary: String {
        let errors = count(.error)
        let warnings = count(.warning)
        let first = errors == 0 ? "no errors" : "\(errors) error\(errors == 1 ? "" : "s")"
        return warnings == 0 ? first : first + ", \(warnings) warning\(warnings == 1 ? "" : "s")"
    }
}

extension FindingReport {
    /// A table for people: a line a finding, what mends it below, the summary last.
    package var table: String {
        var lines: [String] = []
        for section in sections {
            lines += ["\(section.region)  \(section.file)", ""]
            let places = section.findings.map(\.place.count).max() ?? 0
            let subjects = section.findings.map(\.subject.count).max() ?? 0
            for finding in section.findings {
                lines.append(
                    "  \(Self.pad(finding.severity.rawValue, to: 7))  \(Self.pad(finding.place, to: places))  "
                        + "\(Self.pad(finding.subject, to: subjects))  \(finding.statement)")
                if let remedy = finding.remedy { lines += remedy.lines.map { "           " + $0 } }
            }
            lines.append("")
        }
        lines.append(summary)
        return lines.joined(separator: "\n") + "\n"
    }

    private static func pad(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// One JSON object: `errors`, `warnings`, and `regions` with their findings.
    package var json: String {
        struct Document: Encodable {
            let errors: Int
            let warnings: Int
            let regions: [Section]
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let document = Document(errors: count(.error), warnings: count(.warning), regions: sections)
        // Strings and integers always encode.
        return (try? encoder.encode(document)).map { String(decoding: $0, as: UTF8.self) + "\n" } ?? ""
    }
}

extension Remedy {
    /// As the table shows it: commands can be copied as they stand.
    fileprivate var lines: [String] {
        let lead =
            switch means {
            case .sql: "run in PostgreSQL, as superuser or owner:"
            case .redis: "run in redis-cli there:"
            case .shell: "run:"
            }
        let end = means == .sql ? ";" : ""
        return (commands.isEmpty ? [] : [lead] + commands.map { "    " + $0 + end }) + (note.map { [$0] } ?? [])
    }
}
