import RegionConfig
import Testing

@Suite("A region file that is wrong gets one error: file, line, key, what was expected")
struct RegionFileErrorTests {
    private static let port = "expected an integer from 1 to 65535"

    @Test(
        "Keys and kinds of values",
        arguments: [
            ("  host: redis.east", "  hots: x", #"r.yaml:3: redis.hots: unknown key (did you mean "host"?)"#),
            ("  host: redis.east", "  zzz: x", "r.yaml:3: redis.zzz: unknown key"),
            ("  host: redis.east", "  port: 1", "r.yaml:2: redis.host: missing; this key is required"),
            ("  host: redis.east", "  - a", "r.yaml:2: redis: expected a mapping of keys, found a list"),
            ("  host: redis.east", "  host: [a]", "r.yaml:3: redis.host: expected a single value, found a list"),
            ("  host: redis.east", "  host:", "r.yaml:3: redis.host: expected a value, found nothing"),
            ("  host: redis.east", "  host: ''", "r.yaml:3: redis.host: expected a value, found an empty text"),
            (
                "  - region: eu-west", "  - regoin: x",
                #"r.yaml:9: peers[0].regoin: unknown key (did you mean "region"?)"#
            ),
            ("    key: [id]", "    key: id", #"r.yaml:14: catalog[0].key: expected a list of values, found "id""#),
            ("    key: [id]", "    kye: [id]", #"r.yaml:14: catalog[0].kye: unknown key (did you mean "key"?)"#),
            (
                "region: us-east", "region: us-east\nregion: x",
                #"r.yaml:1: the mapping that begins here has the same key twice: "region""#
            ),
            (
                "  user: u", "  user: \"u",
                "r.yaml:15: not YAML: found unexpected end of stream while scanning a quoted scalar that begins in line 7"
            ),
        ])
    func keys(line: String, replacement: String, expected: String) {
        let refusal = RegionFixture().replacing(line, with: replacement).refusal
        #expect(refusal?.hasPrefix(expected) == true, "\(refusal ?? "read")")
    }

    @Test(
        "Values",
        arguments: [
            ("region: us-east", "region: US", "r.yaml:1: region: expected a region name"),
            (
                "region: us-east", "failover: {promote: pg_promote}\nregion: us-east",
                #"r.yaml:1: failover.promote: expected a list of values, found "pg_promote""#
            ),
            (
                "region: us-east", "failover: {fence: []}\nregion: us-east",
                "r.yaml:1: failover.fence: expected a command as a list of words"
            ),
            (
                "region: us-east", "failover: {standby: {port: 5433}}\nregion: us-east",
                "r.yaml:1: failover.standby.host: missing; this key is required"
            ),
            (
                "region: us-east", "failover: {maximumLoss: any}\nregion: us-east",
                "r.yaml:1: failover.maximumLoss: expected an integer from 0 to 1000000000"
            ),
            ("region: us-east", "region: eu-west", "r.yaml:8: peers: eu-west is this region itself"),
            ("  host: redis.east", "  host: r\n  port: abc", "r.yaml:4: redis.port: \(port), found \"abc\""),
            ("  host: redis.east", "  host: r\n  port: 65536", "r.yaml:4: redis.port: \(port), found \"65536\""),
            (
                "  host: redis.east", "  host: r\n  connectTimeout: 5",
                "r.yaml:4: redis.connectTimeout: expected a duration"
            ),
            (
                "  host: redis.east", "  host: r\n  connectTimeout: 1h",
                "r.yaml:4: redis.connectTimeout: expected a duration"
            ),
            ("  host: redis.east", "  host: r\n  username: u", "r.yaml:4: redis.username: expected passwordFile"),
            (
                "  host: redis.east", "  host: r\n  tls: {certFile: c}",
                "r.yaml:4: redis.tls.certFile: expected keyFile beside"
            ),
            ("  host: redis.east", "  host: redis.west", "r.yaml:8: peers: eu-west has this region's own Redis"),
            ("  user: u", "  user: u\n  slot: A-B", "r.yaml:8: postgres.slot: expected a slot name"),
            (
                "  user: u", "  user: u\n  tls: {mode: verify}",
                "r.yaml:8: postgres.tls.mode: expected one of require, verify-ca"
            ),
            ("  user: u", "  user: u\n  tls: {}", "r.yaml:8: postgres.tls.rootCertificate: missing"),
            (
                "  - region: eu-west", "  - region: eu-west\n    windowBytes: 8MB",
                "r.yaml:10: peers[0].windowBytes: expected a size"
            ),
            (
                "  - region: eu-west", "  - region: eu-west\n    windowBytes: 1KiB",
                "r.yaml:10: peers[0].windowBytes: expected a size"
            ),
            ("  - table: public.thing", "  - table: thing", "r.yaml:13: catalog[0].table: expected schema.table"),
            (
                "    tenant: tenant", "    tenant: 'a\"b'",
                "r.yaml:15: catalog[0].tenant: expected a PostgreSQL identifier"
            ),
            (
                "    tenant: tenant", "    tenant: t\n    omit: [t]",
                "r.yaml:16: catalog[0].omit: \"t\" is key, tenant or indexed"
            ),
            (
                "      host: redis.west", "      host: redis.west\n  - region: eu-west\n    redis: {host: r}",
                "r.yaml:12: peers[1]: eu-west stands twice"
            ),
            ("    key: [id]", "    key: [id, id]", "r.yaml:14: catalog[0].key: \"id\" stands twice"),
            ("    key: [id]", "    key: []", "r.yaml:14: catalog[0].key: expected the column or columns"),
        ])
    func values(line: String, replacement: String, expected: String) {
        let refusal = RegionFixture().replacing(line, with: replacement).refusal
        #expect(refusal?.hasPrefix(expected) == true, "\(refusal ?? "read")")
    }

    @Test(
        "What one part says against another",
        arguments: [
            (
                "  - {table: b.thing, key: [id], tenant: t}",
                "r.yaml:16: catalog[1]: the object type \"thing\" stands twice"
            ),
            (
                "  - {table: public.thing, type: other, key: [id], tenant: t}",
                "r.yaml:16: catalog[1]: the table public.thing stands twice"
            ),
            ("tenants: [101, 101]", "r.yaml:16: tenants: 101 stands twice"),
            ("tenants: [0]", "r.yaml:16: tenants: expected dbids"),
            ("listeners: {config: {port: 15000}}", "r.yaml:16: listeners: config and admin have the same address"),
            (
                "listeners: {voice: {host: 0.0.0.0, port: 1}}",
                "r.yaml:16: listeners.voice.host: 0.0.0.0 is not loopback"
            ),
            ("catalogFile: c.yaml", "r.yaml:16: catalogFile: cannot read /etc/rs/c.yaml: No such file"),
            ("admin: {port: 0}", "r.yaml:16: admin.port: \(port)"),
        ])
    func contradictions(line: String, expected: String) {
        let refusal = RegionFixture().adding(line).refusal
        #expect(refusal?.hasPrefix(expected) == true, "\(refusal ?? "read")")
    }

    @Test("Secrets that are not there")
    func secrets() {
        let withFile = RegionFixture().replacing("  user: u", with: "  user: u", "  passwordFile: p")
        let path = "r.yaml:8: postgres.passwordFile: "
        #expect(withFile.refusal == path + "cannot read /etc/rs/p: No such file or directory")
        #expect(
            withFile.with(files: ["/etc/rs/p": "\nx"]).refusal == path
                + "expected a secret on the first line of /etc/rs/p")
        let withVariable = RegionFixture().replacing("  user: u", with: "  user: u", "  passwordEnv: P")
        #expect(withVariable.refusal == "r.yaml:8: postgres.passwordEnv: the environment variable P is not set")
        let both = withFile.replacing("  passwordFile: p", with: "  passwordFile: p", "  passwordEnv: P")
        #expect(
            both.refusal == "r.yaml:9: postgres.passwordEnv: passwordFile stands beside it; expected one of the two")
    }

    @Test("The environment: values are checked and named by their variable; misspelt names are refused")
    func environment() {
        func refusal(_ name: String, _ value: String) -> String? {
            RegionFixture().with(environment: [name: value]).refusal
        }
        #expect(
            refusal("REGIONSYNC_REDIS_PORT", "tcp://10.0.0.1:6379")
                == "r.yaml: environment variable REGIONSYNC_REDIS_PORT: redis.port: \(Self.port), "
                + "found \"tcp://10.0.0.1:6379\"")
        #expect(
            refusal("REGIONSYNC_REDIS_PROT", "1")
                == "r.yaml: environment variable REGIONSYNC_REDIS_PROT: no key has this name "
                + #"(did you mean "REGIONSYNC_REDIS_PORT"?)"#)
        #expect(refusal("REGIONSYNC_PEERS_MARS_REDIS_HOST", "x")?.contains("no key has this name") == true)
        #expect(refusal("REGIONSYNC_REGION", "eu-west")?.contains("peers: eu-west is this region itself") == true)
    }

    @Test("Another catalog file is named with its own lines")
    func catalogFile() {
        var fixture = RegionFixture()
        fixture.lines.removeLast(4)
        #expect(fixture.refusal == "r.yaml: catalog: missing; expected a list of tables, or catalogFile")
        fixture = fixture.adding("catalogFile: c.yaml")
        let wrong = fixture.with(files: ["/etc/rs/c.yaml": "catalog:\n  - table: a.b\n    kee: [x]\n"])
        #expect(wrong.refusal == #"/etc/rs/c.yaml:3: catalog[0].kee: unknown key (did you mean "key"?)"#)
        let both = RegionFixture().adding("catalogFile: c.yaml")
            .with(files: ["/etc/rs/c.yaml": "catalog: [{table: a.b, key: [k], tenant: t}]"])
        #expect(both.refusal == "r.yaml:16: catalogFile: catalog stands beside it; expected one of the two")
    }

    @Test("Files that cannot be read, are empty or too large")
    func files() throws {
        #expect(
            throws: RegionFileError(file: "/nonexistent/r.yaml", problem: "cannot read it: No such file or directory")
        ) {
            try RegionFile.load("/nonexistent/r.yaml", environment: [:])
        }
        var fixture = RegionFixture()
        fixture.lines = []
        #expect(fixture.refusal == "r.yaml: expected a mapping of keys, found nothing")
        fixture.lines = ["- a"]
        #expect(fixture.refusal == "r.yaml:1: expected a mapping of keys, found a list")
        fixture.lines = [String(repeating: "#", count: 1 << 20 + 1)]
        #expect(fixture.refusal == "r.yaml: larger than 1 MiB")
        fixture.lines = ["region: x\u{0}"]
        #expect(fixture.refusal?.hasPrefix("r.yaml:1: not YAML: control characters are not allowed") == true)
    }
}
