import Foundation
import Preflight
import Testing

@Suite("How findings are shown")
struct FindingReportTests {
    private let report = FindingReport([
        FindingReport.Section(
            region: "us-east", file: "us-east.yaml",
            findings: [
                Finding(.ok, at: "redis r:1", "version", "Redis 7.0"),
                Finding(
                    .warning, at: "redis r:1", "persistence", "none",
                    .redis("CONFIG SET appendonly yes", note: "Twice.")),
                Finding(.error, at: "postgres p:2/d", "slot", "not\n\tours", .sql("SELECT 1", "SELECT 2")),
                Finding(.error, at: "listen l:3", "admin", "in use", .words("Wait.")),
            ])
    ])

    @Test("A table: columns in line, what mends a finding below it, ready to be copied")
    func table() {
        #expect(
            report.table == """
                us-east  us-east.yaml

                  ok       redis r:1       version      Redis 7.0
                  warning  redis r:1       persistence  none
                           run in redis-cli there:
                               CONFIG SET appendonly yes
                           Twice.
                  error    postgres p:2/d  slot         not ours
                           run in PostgreSQL, as superuser or owner:
                               SELECT 1;
                               SELECT 2;
                  error    listen l:3      admin        in use
                           Wait.

                2 errors, 1 warning

                """)
        #expect(!report.isClean)
        let clean = FindingReport([FindingReport.Section(region: "r", file: "f", findings: [])])
        #expect(clean.isClean && clean.summary == "no errors")
    }

    @Test("One JSON object, for programs")
    func json() throws {
        let object = try JSONSerialization.jsonObject(with: Data(report.json.utf8)) as? [String: Any]
        #expect(object?["errors"] as? Int == 2)
        #expect(object?["warnings"] as? Int == 1)
        let regions = try #require(object?["regions"] as? [[String: Any]])
        #expect(regions.map { $0["region"] as? String } == ["us-east"])
        let findings = try #require(regions.first?["findings"] as? [[String: Any]])
        #expect(findings.map { $0["severity"] as? String } == ["ok", "warning", "error", "error"])
        let remedy = findings[2]["remedy"] as? [String: Any]
        #expect(remedy?["means"] as? String == "sql")
        #expect(remedy?["commands"] as? [String] == ["SELECT 1", "SELECT 2"])
    }
}
