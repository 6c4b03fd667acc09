import Foundation
import ServerFixtures
import Testing

@Suite("The command line: what is wrong is told in one line, with an exit status of its own")
final class CommandLineTests {
    private let files: [String]
    private let folder: URL

    init() throws {
        let regions = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/regions"
        files = ["us-east", "eu-west"].map { "\(regions)/\($0).yaml" }
        folder = FileManager.default.temporaryDirectory.appending(path: "regionsync-command-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// Servers are named that are not there.
    private func outcome(
        _ words: String..., environment: [String: String] = [:]
    ) async throws -> (status: Int32, text: String) {
        try await outcome(words, environment: environment)
    }

    private func outcome(
        _ words: [String], environment: [String: String]
    ) async throws -> (status: Int32, text: String) {
        let port = "\(try freePort())"
        let servers = [
            "REGIONSYNC_REDIS_PORT": port, "REGIONSYNC_POSTGRES_PORT": port, "REGIONSYNC_ADMIN_PORT": port,
        ]
        return try await WorkerProcess.outcome(
            of: words, environment: servers.merging(environment) { $1 }, folder: folder)
    }

    @Test("failover takes the region from its file, whatever way YAML quotes it")
    func failoverTarget() async throws {
        let quoted = folder.appending(path: "quoted.yaml").path
        let home = URL(filePath: files[0]).deletingLastPathComponent().path
        let text = try String(contentsOfFile: files[0], encoding: .utf8)
            .replacing("region: us-east", with: "region: \"us-east\"")
            .replacing("catalogFile: ", with: "catalogFile: \(home)/")
        try text.write(toFile: quoted, atomically: true, encoding: .utf8)
        for command in ["failover", "failback"] {
            let found = try await outcome(command, "--region", quoted, "--dry-run")
            #expect(found.status == 2 && found.text.contains(" to us-east: refused"), "\(found)")
        }
        let both = try await outcome("failover", "--region", files[0], "--region", files[1])
        #expect(both.status == 64 && both.text.contains("--to names the one that takes over"), "\(both)")
        let missing = try await outcome("failover", "--region", "/nonexistent/r.yaml")
        #expect(missing.status == 78 && missing.text.contains("cannot read it: No such file"), "\(missing)")
    }

    @Test("a name that no file knows is told without the usage of another command")
    func unknownRegions() async throws {
        for words in [
            ["failover", "--region", files[0], "--to", "mars"],
            ["migrate", "--region", files[0], "--capture-region", "mars"],
        ] {
            let result = try await WorkerProcess.outcome(of: words, environment: [:], folder: folder)
            #expect(result.status == 64, "\(result)")
            #expect(result.text.contains("mars") && result.text.contains("us-east"), "\(result)")
            #expect(!result.text.contains("Usage"), "\(result)")
        }
        let twice = try await outcome("status", "--region", files[0], "--region", files[0])
        #expect(twice.status == 64 && twice.text.contains("us-east is given twice"), "\(twice)")
    }

    @Test("a broken accounts file keeps a worker from starting, and nobody from looking at the regions")
    func accounts() async throws {
        let accounts = folder.appending(path: "accounts.yaml").path
        try "accounts: nonsense".write(toFile: accounts, atomically: true, encoding: .utf8)
        let environment = ["REGIONSYNC_LISTENERS_ACCOUNTS_FILE": accounts]
        let worker = try await outcome("run", "--region", files[0], environment: environment)
        #expect(worker.status == 78 && worker.text.contains("\(accounts):1: accounts: expected a list"), "\(worker)")
        let both = ["--region", files[0], "--region", files[1]]
        let others: [(words: [String], status: Int32)] = [
            (["status"] + both, 1), (["verify", "--wait", "0"] + both, 2), (["journals", "--region", files[0]], 69),
        ]
        for (words, status) in others {
            let found = try await outcome(words, environment: environment)
            #expect(found.status == status && !found.text.contains(accounts), "\(words[0]): \(found)")
        }
    }

    @Test("an example that takes two lines is shown on two")
    func example() async throws {
        let help = try await outcome("generate", "--help")
        #expect(help.status == 0)
        #expect(help.text.split(separator: "\n").contains { $0.hasSuffix("us-east.yaml \\") }, "\(help.text)")
    }
}
