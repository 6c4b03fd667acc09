import Preflight
import RegionConfig
import ServerFixtures
import Testing

/// A region file that points at servers of a test, as lines that the test may change.
struct CheckedRegion {
    var redis = ["host: 127.0.0.1"]
    var postgres = ["host: 127.0.0.1", "database: postgres", "user: regionsync_capture"]
    var peer: [String]?
    var admin = 0
    var rest: [String] = []
    var catalog = Self.ownTables
    var environment: [String: String] = [:]

    /// Two tables of a user's own; one hides a column.
    static let ownTables = [
        "  - {table: public.thing, key: [id], tenant: tenant, indexes: [{field: note}], omit: [secret]}",
        "  - {table: public.plain, key: [id], tenant: tenant}",
    ]

    /// Makes the tables of `ownTables` as capture wants them.
    static let ownTablesSQL = """
        CREATE TABLE thing (id int PRIMARY KEY, tenant int NOT NULL, note text, secret text);
        CREATE UNIQUE INDEX thing_by_tenant ON thing (tenant, id);
        ALTER TABLE thing REPLICA IDENTITY USING INDEX thing_by_tenant;
        CREATE TABLE plain (id int, tenant int, PRIMARY KEY (tenant, id));
        """

    func read() throws -> Region {
        // Busy machines take a while to answer.
        let indented = { (lines: [String]) in (lines + ["connectTimeout: 30s"]).map { "  " + $0 } }
        var lines = ["region: us-east", "redis:"] + indented(redis) + ["postgres:"] + indented(postgres)
        if let peer { lines += ["peers:", "  - region: eu-west", "    redis:"] + indented(peer).map { "    " + $0 } }
        lines += ["admin: {port: \(admin == 0 ? try freePort() : admin)}"] + rest + ["catalog:"] + catalog
        return try RegionFile.parse(
            lines.joined(separator: "\n"), file: "us-east.yaml",
            surroundings: Surroundings(environment: environment) { _ in throw UnreadableFile(reason: "not there") })
    }

    /// What `regionsync check` finds.
    func check() async throws -> FindingReport {
        let region = try read()
        return FindingReport([await RegionCheck(region, file: "us-east.yaml").run()])
    }
}

extension FindingReport {
    var findings: [Finding] { sections.flatMap(\.findings) }

    /// Those at places that begin so.
    func findings(at place: String) -> [Finding] {
        findings.filter { $0.place.hasPrefix(place) }
    }

    /// The one finding about `subject` that is not ok.
    func fault(_ subject: String, at place: String = "") throws -> Finding {
        let faults = findings(at: place).filter { $0.subject == subject && $0.severity != .ok }
        #expect(faults.count == 1, "\(subject): \(faults)")
        return try #require(faults.first, "nothing about \(subject) in \(table)")
    }
}
