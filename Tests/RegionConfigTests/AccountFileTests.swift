import Testing

@testable import RegionConfig

@Suite("The accounts of the ports")
struct AccountFileTests {
    private static let hash = "#" + String(repeating: "ab", count: 32)

    private func read(_ lines: String...) throws(RegionFileError) -> [Region.Account] {
        let text = lines.joined(separator: "\n")
        return try AccountFile.parse("a.yaml", surroundings: Surroundings(environment: [:]) { _ in text }).accounts
    }

    private func refusal(_ lines: String...) -> String? {
        do throws(RegionFileError) {
            let text = lines.joined(separator: "\n")
            _ = try AccountFile.parse("a.yaml", surroundings: Surroundings(environment: [:]) { _ in text })
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test
    func readsAccounts() throws {
        let accounts = try read(
            "accounts:",
            "  - name: billing",
            "    secretHashes: ['\(Self.hash)']",
            "    tenants: [101, 102]",
            "    permissions: [read]",
            "  - name: gws",
            "    certificateNames: [gws.example.org]",
            "    tenants: [all]",
            "    permissions: [read, write, control]",
            "  - name: default",
            "    tenants: [103]",
            "    permissions: [read]")
        #expect(accounts.map(\.name) == ["billing", "gws", "default"])
        #expect(accounts[0].tenants == [101, 102])
        #expect(accounts[1].tenants == nil)
        #expect(accounts[1].permissions == [.read, .write, .control])
        #expect(accounts.map(\.isAnonymous) == [false, false, true])
    }

    @Test(arguments: [
        ("secretHashes: [secret]", "secretHashes[0]: expected #"),
        ("permissions: [reed]", "did you mean \"read\"?"),
        ("permissions: []", "permissions: expected at least one"),
        ("tenants: [all, 3]", "tenants[0]: expected [all], or dbids"),
        ("tenants: []", "tenants: expected [all]"),
        ("secretHash: x", "unknown key (did you mean \"secretHashes\"?)"),
    ])
    func saysWhatIsWrong(line: String, problem: String) {
        var lines = ["secretHashes: ['\(Self.hash)']", "permissions: [read]", "tenants: [all]"]
        let key = line.prefix { $0 != ":" }
        lines.removeAll { $0.hasPrefix("\(key):") }
        lines.append(line)
        let text = (["accounts:", "  - name: a"] + lines.map { "    \($0)" }).joined(separator: "\n")
        let refusal = refusal(text) ?? "nothing"
        #expect(refusal.hasPrefix("a.yaml"))
        #expect(refusal.contains(problem), "\(refusal)")
    }

    private static let key = String(repeating: "A", count: 43) + "="

    @Test
    func readsVerifiers() throws {
        let verifier = "SCRAM-SHA-256$4096:c2FsdA==$\(Self.key):\(Self.key)"
        let accounts = try read(
            "accounts:", "  - name: a", "    secretHashes: ['\(verifier)']", "    permissions: [read]",
            "    tenants: [all]")
        #expect(accounts[0].secretHashes == [verifier])
    }

    @Test(arguments: [
        "SCRAM-SHA-256$4096:c2FsdA==$\(key)", "SCRAM-SHA-256$4096:c2FsdA==$\(key):\(key)$",
        "SCRAM-SHA-256$many:c2FsdA==$\(key):\(key)", "SCRAM-SHA-256$0:c2FsdA==$\(key):\(key)",
        "SCRAM-SHA-256$1000001:c2FsdA==$\(key):\(key)", "SCRAM-SHA-256$4096:$\(key):\(key)",
        "SCRAM-SHA-256$4096:salt!$\(key):\(key)", "SCRAM-SHA-256$4096:c2FsdA==$AAAA:\(key)",
        "SCRAM-SHA-256$4096$c2FsdA==$\(key)",
    ])
    func refusesWhatIsNoVerifier(hash: String) {
        let text = """
            accounts:
              - name: a
                secretHashes: ['\(hash)']
                permissions: [read]
                tenants: [all]
            """
        #expect(refusal(text)?.contains("secretHashes[0]: expected #") == true)
    }

    @Test
    func wantsOneAccountAName() {
        let account = ["    secretHashes: ['\(Self.hash)']", "    permissions: [read]", "    tenants: [all]"]
        let text = (["accounts:", "  - name: a"] + account + ["  - name: a"] + account).joined(separator: "\n")
        #expect(refusal(text)?.contains("a stands twice") == true)
    }

    @Test
    func letsNobodyInWhoShowsNothing() {
        let text = "accounts:\n  - name: a\n    permissions: [read]\n    tenants: [all]"
        #expect(refusal(text)?.contains("nobody is let in as a") == true)
    }

    @Test
    func isLeftToWhoServesThePorts() throws {
        let fixture = RegionFixture().adding("listeners:", "  accountsFile: accounts.yaml")
        #expect(try fixture.read().listeners.accountsFile == "/etc/rs/accounts.yaml")
        let spoilt = fixture.with(files: ["/etc/rs/accounts.yaml": "accounts:\n  - name: a b"])
        #expect(spoilt.refusal == nil)
    }

    @Test
    func saysWhichFileAndLine() {
        let refusal = refusal("accounts:", "  - name: a b") ?? "nothing"
        #expect(refusal.hasPrefix("a.yaml:2: accounts[0].name: expected 1 to 64"), "\(refusal)")
        do throws(RegionFileError) {
            _ = try AccountFile.load("/nonexistent/accounts.yaml")
            Issue.record("there is no such file")
        } catch {
            #expect("\(error)" == "/nonexistent/accounts.yaml: cannot read it: No such file or directory")
        }
    }

    @Test
    func isRequiredOffLoopback() {
        let fixture = RegionFixture().adding(
            "listeners:", "  voice: {host: 0.0.0.0, port: 8000, allowClearText: true}")
        #expect(fixture.refusal?.contains("voice is open to other hosts") == true)
    }

    @Test
    func limitsHaveDefaults() throws {
        #expect(try RegionFixture().read().listeners.limits == .defaults)
        let region = try RegionFixture().adding("listeners:", "  limits: {clients: 5, idleTime: 2s}").read()
        #expect(region.listeners.limits.clients == 5)
        #expect(region.listeners.limits.idleTime == .seconds(2))
        #expect(region.listeners.limits.outputBytes == 32 << 20)
        #expect(region.listeners.limits.totalOutputBytes == 256 << 20)
        #expect(region.listeners.limits.totalInputBytes == 256 << 20)
        let small = RegionFixture().adding("listeners:", "  limits: {totalInputBytes: 15MiB}")
        #expect(small.refusal?.contains("listeners.limits.totalInputBytes") == true)
    }
}
