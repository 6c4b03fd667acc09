/// Metrics as a scraper reads them.
package enum MetricsFormat: String, CaseIterable, Sendable {
    /// Prometheus text exposition format 0.0.4.
    case prometheusText
    /// OpenMetrics text format 1.0.
    case openMetrics

    /// The media type of the rendered text.
    package var contentType: String {
        switch self {
        case .prometheusText: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The whole exposition: families by name, series by label values.
    package func render(_ snapshot: MetricsSnapshot) -> String {
        var text = ""
        for (family, series) in snapshot.families.sorted(by: { $0.key.name < $1.key.name }) where !series.isEmpty {
            appendHead(of: family, to: &text)
            for (values, value) in series.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                append(value, labels: labels(family, values), of: family, to: &text)
            }
        }
        if self == .openMetrics { text += "# EOF\n" }
        return text
    }

    private func appendHead(of family: MetricFamily, to text: inout String) {
        // The older format names a counter's family as its samples, OpenMetrics without the suffix.
        let name = self == .prometheusText ? family.sampleName : family.name
        let help = Self.escaped(family.help, quotes: self == .openMetrics)
        switch self {
        case .prometheusText:
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(family.kind.rawValue)\n"
        case .openMetrics:
            text += "# TYPE \(name) \(family.kind.rawValue)\n"
            if let unit = family.unit { text += "# UNIT \(name) \(unit.rawValue)\n" }
            text += "# HELP \(name) \(help)\n"
        }
    }

    private func append(
        _ value: MetricsSnapshot.Value, labels: String, of family: MetricFamily, to text: inout String
    ) {
        switch value {
        case .number(let number):
            text += family.sampleName + (labels.isEmpty ? "" : "{\(labels)}") + " \(Self.number(number))\n"
        case .histogram(let histogram):
            let comma = labels.isEmpty ? "" : ","
            let braces = labels.isEmpty ? "" : "{\(labels)}"
            var cumulated: UInt64 = 0
            for (bound, count) in zip(histogram.bounds.map { "\($0)" } + ["+Inf"], histogram.counts) {
                cumulated &+= count
                text += "\(family.name)_bucket{\(labels)\(comma)le=\"\(bound)\"} \(cumulated)\n"
            }
            text += "\(family.name)_sum\(braces) \(Self.number(histogram.sum))\n"
            text += "\(family.name)_count\(braces) \(cumulated)\n"
        }
    }

    private func labels(_ family: MetricFamily, _ values: [String]) -> String {
        zip(family.labels, values).map { "\($0.rawValue)=\"\(Self.escaped($1, quotes: true))\"" }
            .joined(separator: ",")
    }

    /// A sample value: whole numbers without a fraction, infinities as `+Inf` and `-Inf`.
    private static func number(_ value: Double) -> String {
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if value.isNaN { return "NaN" }
        return Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        guard text.utf8.contains(where: { $0 == 0x5C || $0 == 0x0A || $0 == 0x22 }) else { return text }
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

extension MetricFamily {
    /// The name of a counter's or a gauge's samples.
    package var sampleName: String { kind == .counter ? name + "_total" : name }
}
