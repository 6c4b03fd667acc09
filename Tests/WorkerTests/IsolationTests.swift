import Foundation
import PostgresClient
import Testing

@Suite("What an account is told of tenants that it does not see", .timeLimit(.minutes(10)))
struct IsolationTests {
    /// Commands of the connection, which know no tenant.
    private static let builtins: Set<String> = [
        "HELLO", "AUTH", "PING", "ECHO", "QUIT", "RESET", "SELECT", "CLIENT", "COMMAND", "INFO", "MULTI", "EXEC",
        "DISCARD",
    ]

    @Test("is what it is told of tenants that are not there, by every command, and none can touch them")
    func isolation() async throws {
        try await IsolatedTenants.with { try await tryEverything($0) }
    }

    private func tryEverything(_ tenants: IsolatedTenants) async throws {
        let before = try await tenants.contents()
        let hasCanary = before.values.contains { $0.lowercased().contains("canary") }
        try #require(hasCanary)
        for port in IsolationCase.Port.allCases { try await compare(port, tenants) }
        try await transactions(tenants)
        let after = try await tenants.contents()
        let changed = Set(before.keys).union(after.keys).filter { key in before[key] != after[key] }.sorted()
        #expect(changed == [], "of the other tenant")
        try await watches(tenants)
    }

    /// Says every command of a port.
    private func compare(_ port: IsolationCase.Port, _ tenants: IsolatedTenants) async throws {
        let client = try await tenants.client(port, as: "own")
        let cases = IsolationCase.all(of: port)
        let names = try await commands(of: client)
        #expect(names.subtracting(cases.keys) == Self.builtins.intersection(names), "a command without a case")
        for name in names.sorted() {
            for line in cases[name]?.lines ?? [] { try await compare(line, tenants, client) }
        }
        try await describe(client)
        try await checkPermissions(port, names, tenants)
    }

    /// Names in capitals, as the port itself lists them.
    private func commands(of client: TextClient) async throws -> Set<String> {
        let lines = try await client.say("COMMAND LIST").components(separatedBy: "\r\n")
        let names = lines.filter { !$0.isEmpty && !$0.hasPrefix("*") && !$0.hasPrefix("$") }.map { $0.uppercased() }
        try #require(names.count > 10)
        return Set(names)
    }

    // MARK: Answers

    /// Says a line with the other tenant's names and with nobody's, the tenant by its dbid and by its name.
    private func compare(
        _ line: IsolationCase.Line, _ tenants: IsolatedTenants, _ client: TextClient
    ) async throws {
        for way in line.namesTenant ? ["dbid", "name"] : ["dbid"] {
            let foreign = try await answer(line, tenants.foreign, way, tenants, client)
            let absent = try await answer(line, tenants.absent, way, tenants, client)
            #expect(foreign == absent, "\(line.text) by \(way)")
            if line.namesTenant { #expect(foreign == "-NOTENANT no such tenant\r\n", "\(line.text) by \(way)") }
        }
    }

    /// What is answered, with the words in braces that errors repeat as they were in the line.
    private func answer(
        _ line: IsolationCase.Line, _ names: IsolatedTenants.Names, _ way: String, _ tenants: IsolatedTenants,
        _ client: TextClient
    ) async throws -> String {
        var names = names
        names["tenant"] = names[way]
        let text = names.reduce(line.text) { $0.replacing("{\($1.key)}", with: $1.value) }
        var reply = try await told(tenants) { try await client.say(text) }
        expectNoCanary(reply, text)
        for word in ["group", "consumer"] {
            if let name = names[word] { reply = reply.replacing(name, with: "{\(word)}") }
        }
        return line.hasNumbers ? reply.replacing(/[0-9]+/, with: "#") : reply
    }

    /// What is answered. It is asked for again while PostgreSQL is late: nothing was written then.
    private func told(_ tenants: IsolatedTenants, _ ask: () async throws -> String) async throws -> String {
        var reply = ""
        try await tenants.region.until("PostgreSQL answers") {
            reply = try await ask()
            return !reply.contains("-UNAVAILABLE")
        }
        return reply
    }

    private func expectNoCanary(_ reply: String, _ text: String) {
        #expect(!reply.lowercased().contains("canary"), "\(text) answers \(reply)")
    }

    /// What the commands of the connection tell.
    private func describe(_ client: TextClient) async throws {
        let lines = ["COMMAND", "COMMAND DOCS", "COMMAND INFO", "INFO", "INFO everything", "CLIENT INFO"]
        for line in lines {
            expectNoCanary(try await client.say(line), line)
        }
    }

    // MARK: Permissions

    private func checkPermissions(
        _ port: IsolationCase.Port, _ names: Set<String>, _ tenants: IsolatedTenants
    ) async throws {
        let cases = IsolationCase.all(of: port)
        for permission in IsolationCase.Permission.allCases {
            let client = try await tenants.client(port, as: permission.rawValue)
            for name in names.sorted() {
                guard let found = cases[name], let line = found.lines.first else { continue }
                let reply = try await answer(line, tenants.foreign, "dbid", tenants, client)
                let refusal = "-NOPERM User \(permission.rawValue) has no permissions to run the "
                #expect(reply.hasPrefix(refusal) == (found.permission != permission), "\(name): \(reply)")
            }
        }
    }

    // MARK: Transactions

    /// Between `MULTI` and `EXEC` as without.
    private func transactions(_ tenants: IsolatedTenants) async throws {
        let own = try await tenants.client(.config, as: "own")
        let person = try #require(tenants.foreign["person"])
        for (tenant, id) in [("102", person), ("CanaryInc", person), ("999", "987654"), ("Nowhere", "987654")] {
            let reads = try await own.say("MULTI", "CFG.GET \(tenant) person \(id)", "CFG.GET 101 person \(id)", "EXEC")
            #expect(reads == "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n-NOTENANT no such tenant\r\n_\r\n")
            let writes = try await told(tenants) {
                try await own.say(
                    "MULTI", "CFG.PUT 101 skill NEW name never", "CFG.PUT \(tenant) person \(id) first_name x", "EXEC")
            }
            #expect(writes == "+OK\r\n+QUEUED\r\n+QUEUED\r\n-NOTENANT command 2: no such tenant\r\n")
        }
        let reader = try await tenants.client(.config, as: "read")
        let refused = try await reader.say("MULTI", "CFG.PUT 101 skill NEW name never", "EXEC")
        #expect(refused.contains("-NOPERM") && refused.contains("-EXECABORT"))
        let rows = try await tenants.region.sql("SELECT FROM provisioning.skill WHERE name = 'never'")
        #expect(rows.count == 0)
    }

    // MARK: Pushes

    /// Who watches and waits gets what happens to its own tenant, and nothing of what happens to the other at the same time.
    private func watches(_ tenants: IsolatedTenants) async throws {
        let voice = try await tenants.client(.voice, as: "own")
        #expect(try await voice.say("VOICE.WATCH 101").hasPrefix("%"))
        let waiting = try await tenants.client(.voice, as: "own")
        waiting.send(["XREAD BLOCK 0 STREAMS voice:101 $"])
        let events = try await tenants.client(.voice, as: "all")
        _ = try await events.say("XADD voice:102 * event EventUserEvent key canary data {\"ThisDN\":\"canary\"}")

        let config = try await tenants.client(.config, as: "own")
        // Where the port has watches.
        let isWatching = try await config.say("CFG.WATCH 101").hasPrefix("%")
        let objects = try await tenants.client(.config, as: "all")
        _ = try await told(tenants) {
            try await objects.say("CFG.PUT 102 skill NEW name canary-last", "CFG.PUT 101 skill NEW name own-last")
        }

        // `XREAD` may come to wait behind the first of them.
        try await tenants.region.until("the event has come to who waits") {
            _ = try await events.say("XADD voice:101 * event EventUserEvent key own data {\"ThisDN\":\"last\"}")
            return try waiting.hasReceived("last")
        }
        expectNoCanary(try await waiting.read(upTo: "\"}\r\n"), "XREAD")
        expectNoCanary(try await voice.read(upTo: "\"last\"}\r\n"), "VOICE.WATCH")
        if isWatching {
            try await tenants.region.until("the change has come to who watches") {
                try config.hasReceived("own-last")
            }
            expectNoCanary(try await config.say("PING"), "CFG.WATCH")
        }
    }
}
