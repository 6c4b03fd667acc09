import Foundation
import RegionConfig
import ServerFixtures
import Testing

@testable import Preflight

@Suite("Checking the files of the ports")
final class ListenerFileCheckTests {
    private let folder: URL

    /// Two certificates, each with its key, that vouch for themselves.
    init() async throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "listener-files-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in ["own", "other"] {
            try await Self.makeCertificate(name, days: 60, in: folder)
        }
        try write(
            "accounts:\n  - {name: a, secretHashes: ['#\(String(repeating: "ab", count: 32))'], tenants: [all], "
                + "permissions: [read]}", to: "accounts.yaml")
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    @Test("Right ones: what each is good for")
    func right() async throws {
        let findings = await ListenerFileCheck(try region().read()).run()
        #expect(findings.allSatisfy { $0.severity == .ok && $0.remedy == nil }, "\(findings)")
        #expect(
            findings.map(\.subject) == [
                "listeners.accountsFile", "listeners.config.tls.certFile", "listeners.config.tls.keyFile",
                "listeners.config.tls.clientCAFile",
            ])
        let places = ["accounts.yaml", "own.crt", "own.key", "other.crt"].map { "file \(path($0))" }
        #expect(findings.map(\.place) == places)
        #expect(findings[0].statement == "1 account" && findings[2].statement == "is the certificate's key")
        #expect(findings[1].statement.hasPrefix("valid until 20"))
    }

    @Test(
        "A file that is not there, is something else, or does not belong to the other one",
        arguments: [
            ("own.crt", nil, "certFile", "cannot be read: No such file or directory"),
            ("own.crt", "x", "certFile", "holds something else than certificates in PEM"),
            ("own.crt", "", "certFile", "holds something else than certificates in PEM"),
            ("own.key", nil, "keyFile", "cannot be read: No such file or directory"),
            ("own.key", "x", "keyFile", "holds no key in PEM without a passphrase"),
            ("other.crt", nil, "clientCAFile", "cannot be read: No such file or directory"),
            ("other.crt", "x", "clientCAFile", "holds something else than certificates in PEM"),
        ] as [(String, String?, String, String)])
    func faulty(file: String, content: String?, key: String, statement: String) async throws {
        if let content { try write(content, to: file) } else { try FileManager.default.removeItem(atPath: path(file)) }
        let findings = await ListenerFileCheck(try region().read()).run().filter { $0.severity != .ok }
        let place = "file \(path(file))"
        #expect(findings.map(\.place) == [place])
        #expect(findings.map(\.subject) == ["listeners.config.tls.\(key)"])
        #expect(findings.map(\.statement) == [statement])
        #expect(findings.allSatisfy { $0.severity == .error && $0.remedy != nil })
    }

    @Test("The key of another certificate; and every fault there is, not the first alone")
    func several() async throws {
        for name in ["own.key", "other.crt"] { try FileManager.default.removeItem(atPath: path(name)) }
        try FileManager.default.copyItem(atPath: path("other.key"), toPath: path("own.key"))
        try write("accounts:\n  - {name: a b}", to: "accounts.yaml")
        var region = try region()
        region.redis.append("port: \(try freePort())")
        region.postgres.append("port: \(try freePort())")
        let report = try await region.check()
        let (accounts, certificate) = (path("accounts.yaml"), path("own.crt"))
        let found = try report.fault("listeners.accountsFile")
        #expect(found.statement.hasPrefix("\(accounts):2: accounts[0].name: expected"), "\(found)")
        let key = try report.fault("listeners.config.tls.keyFile")
        #expect(key.statement == "is not the key of the certificate in \(certificate)")
        #expect(try report.fault("listeners.config.tls.clientCAFile").severity == .error)
        #expect(!report.isClean)
    }

    @Test("A certificate that ends soon, has ended, or does not hold yet")
    func times() async throws {
        let day = 86_400
        let now = Int(Date().timeIntervalSince1970)
        let cases: [(now: Int, severity: Finding.Severity, words: String)] = [
            (now + 45 * day, .ok, "valid until"), (now + 47 * day, .warning, "ends on 20"),
            (now + 61 * day, .error, "ended on 20"), (now - day, .error, "is not valid before 20"),
        ]
        for (now, severity, words) in cases {
            let findings = await ListenerFileCheck(try region().read(), now: now).run()
            for key in ["certFile", "clientCAFile"] {
                let finding = try #require(findings.first { $0.subject == "listeners.config.tls.\(key)" })
                #expect(finding.severity == severity && finding.statement.hasPrefix(words), "\(finding)")
            }
        }
    }

    @Test("Of a chain all must hold, of authorities one")
    func severalCertificates() async throws {
        try await Self.makeCertificate("short", days: 30, in: folder)
        let short = try String(contentsOfFile: path("short.crt"), encoding: .utf8)
        for name in ["own.crt", "other.crt"] {
            try write(try String(contentsOfFile: path(name), encoding: .utf8) + short, to: name)
        }
        let now = Int(Date().timeIntervalSince1970) + 31 * 86_400
        let findings = await ListenerFileCheck(try region().read(), now: now).run().filter { $0.severity != .ok }
        #expect(findings.map(\.severity) == [.error, .warning])
        for finding in findings {
            #expect(finding.statement.hasPrefix("holds 2 certificates, of which one ended on 20"), "\(finding)")
        }
    }

    private func region() throws -> CheckedRegion {
        var region = CheckedRegion()
        region.rest = [
            "listeners:", "  accountsFile: \(path("accounts.yaml"))", "  config:", "    port: \(try freePort())",
            "    tls: {certFile: \(path("own.crt")), keyFile: \(path("own.key")), clientCAFile: \(path("other.crt"))}",
        ]
        return region
    }

    private func path(_ name: String) -> String { folder.appending(path: name).path }

    private func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: folder.appending(path: name))
    }

    private static func makeCertificate(_ name: String, days: Int, in folder: URL) async throws {
        let words =
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days \(days) -subj /CN=\(name) "
            + "-keyout \(name).key -out \(name).crt"
        let (status, output) = try await Program.run(
            "/usr/bin/openssl", words.split(separator: " ").map(String.init), in: folder)
        try #require(status == 0, "\(output)")
    }
}
