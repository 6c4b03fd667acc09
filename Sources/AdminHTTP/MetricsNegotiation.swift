internal import Observability

extension MetricsFormat {
    /// The format an `Accept` header asks for (RFC 9110, 12.5.1): OpenMetrics 1.0 when the client names it and prefers
    /// nothing to it, else the older text, which every scraper reads.
    internal init(accept: String?) {
        var openMetrics = 0.0
        var text = 0.0
        for range in accept?.split(separator: ",") ?? [] {
            let parts = range.split(separator: ";").map { part in
                String(part).trimmingSpaces().lowercased()
            }
            let parameters = Self.parameters(parts.dropFirst())
            let quality = parameters["q"].map { Double($0) ?? 0 } ?? 1
            switch parts.first {
            case "application/openmetrics-text":
                if ["1.0.0", nil].contains(parameters["version"]) { openMetrics = max(openMetrics, quality) }
            case "text/plain":
                if ["0.0.4", nil].contains(parameters["version"]) { text = max(text, quality) }
            case "text/*", "*/*": text = max(text, quality)
            default: continue
            }
        }
        self = openMetrics > 0 && openMetrics >= text ? .openMetrics : .prometheusText
    }

    private static func parameters(_ parts: some Sequence<String>) -> [String: String] {
        var parameters: [String: String] = [:]
        for part in parts {
            let sides = part.split(separator: "=", maxSplits: 1)
            guard sides.count == 2 else { continue }
            let value = String(sides[1]).trimmingSpaces().filter { $0 != "\"" }
            parameters[String(sides[0]).trimmingSpaces()] = value
        }
        return parameters
    }
}

extension String {
    fileprivate func trimmingSpaces() -> String {
        let start = drop { $0 == " " || $0 == "\t" }
        guard let last = start.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return "" }
        return String(start[...last])
    }
}
