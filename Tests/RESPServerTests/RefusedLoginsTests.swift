import Logging
import Observability
import Synchronization
import Testing

@testable import RESPServer

@Suite("Refused logins that are logged", .timeLimit(.minutes(2))) struct RefusedLoginsTests {
    private static let source = ClientSource(address: [192, 0, 2, 1])

    private static func refusal(
        _ account: String = "pulse", _ reason: RefusedLogins.Reason = .wrongSecret
    ) -> RefusedLogins.Refusal {
        RefusedLogins.Refusal(of: account, at: "192.0.2.1:4", reason)
    }

    @Test("The first is told at once, those behind it after a pause, with the latest")
    func pauses() {
        var logins = RefusedLogins()
        let first = logins.refused(Self.refusal(), from: Self.source)
        #expect(first == .source(Self.source))
        for account in ["gws", "wfm"] {
            let told = logins.refused(Self.refusal(account), from: Self.source)
            #expect(told == nil)
        }
        let summary = logins.paused(.source(Self.source))
        #expect(summary == RefusedLogins.Summary(count: 2, latest: Self.refusal("wfm")))
        let told = logins.refused(Self.refusal("gws"), from: Self.source)
        #expect(told == nil, "another pause has begun")
        let next = logins.paused(.source(Self.source))
        #expect(next == RefusedLogins.Summary(count: 1, latest: Self.refusal("gws")))
        let quiet = logins.paused(.source(Self.source))
        #expect(quiet == nil)
        let again = logins.refused(Self.refusal(), from: Self.source)
        #expect(again == .source(Self.source), "it was forgotten")
    }

    @Test("Each source is told of by itself; those that find no room together")
    func bounded() {
        var logins = RefusedLogins(sources: 2)
        let sources = (1...4).map { ClientSource(address: [10, 0, 0, UInt8($0)]) }
        let origins = sources.map { logins.refused(Self.refusal(), from: $0) }
        #expect(origins == [.source(sources[0]), .source(sources[1]), .others, nil])
        let known = logins.refused(Self.refusal(), from: sources[1])
        #expect(known == nil)
        let told: [RefusedLogins.Origin] = [.source(sources[0]), .source(sources[1]), .others]
        let summaries = told.map { logins.paused($0)?.count }
        #expect(summaries == [nil, 1, 1])
        _ = logins.paused(.others)
        let room = logins.refused(Self.refusal(), from: sources[3])
        #expect(room == .source(sources[3]), "a source that was forgotten makes room")
    }

    @Test("Of a long name its beginning is kept")
    func names() {
        let longest = String(repeating: "a", count: 64)
        #expect(Self.refusal(longest).account == longest)
        #expect(Self.refusal(longest + "b").account == longest + "…")
    }

    @Test("A port logs account, address and reason, never a secret, and counts the rest")
    func logged() async throws {
        let lines = Lines()
        let logger = LogOutput(format: .logfmt, level: .info, write: { lines.append($0) }).logger("listeners")
        let limits: (inout ListenerLimits) -> Void = {
            $0.logins.freeFailures = 2
            $0.logins.firstDelay = .seconds(600)
            $0.logins.longestDelay = .seconds(600)
            $0.logins.longestWait = .zero
            $0.refusalPause = .milliseconds(300)
        }
        try await TestServer.with(accounts: AccountStore(.test), logger: logger, limits) { server in
            let client = try server.client()
            // Behind three wrong ones nothing is looked at.
            client.send(
                "AUTH pulse canary\r\nAUTH nobody canary\r\nHELLO 3 AUTH gws canary\r\n"
                    + "AUTH gws canary\r\nAUTH gws sesame\r\n")
            let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
            let late = "-LIMIT too many failed logins from this address; try again later\r\n"
            await client.expect(wrong + wrong + wrong + late + late)
            // In several lines where the pause is over before the last.
            try await eventually { lines.counted == 4 }
            let (first, last) = (try #require(lines.refused.first), try #require(lines.refused.last))
            #expect(first.contains(#"msg="A login was refused" account=pulse client.address=127.0.0.1:"#), "\(first)")
            #expect(first.contains(#"reason="wrong secret""#), "\(first)")
            #expect(last.contains(#"msg="Further logins were refused" account=gws client.address="#), "\(last)")
            #expect(last.contains(#"reason="too many failed logins""#), "\(last)")
            #expect(server.rejected(.login) == 3 && server.rejected(.throttled) == 2)
        }
        #expect(!lines.text.contains("canary") && !lines.text.contains("sesame"))
    }

    @Test("An account that there is not is told as such")
    func unknown() async throws {
        let lines = Lines()
        let logger = LogOutput(format: .logfmt, level: .info, write: { lines.append($0) }).logger("listeners")
        try await TestServer.with(accounts: AccountStore(.test), logger: logger) { server in
            let client = try server.client()
            client.send("AUTH nobody canary\r\n")
            await client.expect("-WRONGPASS invalid username-password pair or user is disabled.\r\n")
            try await eventually { lines.refused.count == 1 }
            let line = try #require(lines.refused.first)
            #expect(line.contains("account=nobody") && line.contains(#"reason="no such account""#), "\(line)")
        }
    }
}

/// Keeps what was logged.
private final class Lines: Sendable {
    private let written = Mutex("")

    func append(_ line: [UInt8]) { written.withLock { $0 += String(decoding: line, as: UTF8.self) } }

    var text: String { written.withLock { $0 } }

    /// Those about refused logins.
    var refused: [Substring] { text.split(separator: "\n").filter { $0.contains("refused") } }

    /// Refused logins that were only counted.
    var counted: Int {
        refused.reduce(0) { sum, line in
            let count = line.split(separator: " ").first { $0.hasPrefix("count=") }
            return sum + (count.flatMap { Int($0.dropFirst("count=".count)) } ?? 0)
        }
    }
}
