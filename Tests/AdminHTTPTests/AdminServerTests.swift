import AdminHTTP
import Observability
import Synchronization
import Testing

@Suite("Admin server", .timeLimit(.minutes(3)))
struct AdminServerTests {
    private struct Broken: Error {}

    @Test("alive as soon as it listens, ready when told so")
    func health() async throws {
        try await AdminClient.withServer { client in
            let alive = try await client.get("/livez")
            #expect(alive.status == 200 && alive.body == "alive\n")
            let ready = try await client.get("/readyz")
            #expect(ready.status == 200 && ready.body == #"{"ready":true,"waitingFor":[]}"#)
        }
        let awaited = AdminReadiness.waiting(for: ["local Redis", "first snapshot projected"])
        try await AdminClient.withServer(.fixed(readiness: awaited)) { client in
            let ready = try await client.get("/readyz")
            #expect(ready.status == 503)
            #expect(ready.body == #"{"ready":false,"waitingFor":["local Redis","first snapshot projected"]}"#)
            #expect(ready.headers["cache-control"] == "no-store")
            #expect(try await client.get("/livez").status == 200)
        }
    }

    @Test("metrics in the format the scraper asks for")
    func metrics() async throws {
        let registry = MetricsRegistry()
        registry.counter(.projectionApplied).add(5)
        try await AdminClient.withServer(.fixed(registry: registry)) { client in
            let text = try await client.get("/metrics")
            #expect(text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(text.body.contains("# TYPE regionsync_projection_applied_total counter\n"))
            #expect(text.body.hasSuffix("regionsync_projection_applied_total 5\n"))
            let open = try await client.get("/metrics", ["Accept": "application/openmetrics-text;version=1.0.0"])
            #expect(open.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8")
            #expect(open.body.hasSuffix("regionsync_projection_applied_total 5\n# EOF\n"))
        }
    }

    @Test("status as it was given, or encoded here, or the reason why not")
    func status() async throws {
        try await AdminClient.withServer(.fixed(status: #"{"region":"us-east"}"#)) { client in
            let status = try await client.get("/status")
            #expect(status.status == 200 && status.body == #"{"region":"us-east"}"#)
            #expect(status.headers["content-type"] == "application/json; charset=utf-8")
        }
        let encoded = AdminAnswers(
            metrics: { MetricsRegistry().snapshot() }, readiness: { .ready }, status: { ["b": 1, "a/": 2] })
        try await AdminClient.withServer(encoded) { client in
            let status = try await client.get("/status")
            #expect(status.body == #"{"a/":2,"b":1}"#)
        }
        let broken = AdminAnswers(
            metrics: { MetricsRegistry().snapshot() }, readiness: { .ready }, statusJSON: { throw Broken() })
        try await AdminClient.withServer(broken) { client in
            let status = try await client.get("/status")
            #expect(status.status == 500)
            #expect(try await client.get("/livez").status == 200)
        }
    }

    @Test("the page stands alone and may run nothing but itself")
    func page() async throws {
        try await AdminClient.withServer { client in
            let page = try await client.get("/")
            #expect(page.status == 200 && page.headers["content-type"] == "text/html; charset=utf-8")
            #expect(page.headers["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
            #expect(page.headers["x-content-type-options"] == "nosniff")
            #expect(page.body.contains("fetch(\"/status\""))
            #expect(!page.body.contains("://") && !page.body.contains("innerHTML"))
        }
    }

    @Test("other paths and methods are refused, HEAD has no body")
    func refusals() async throws {
        try await AdminClient.withServer { client in
            #expect(try await client.get("/secrets").status == 404)
            let post = try await client.get("/status", method: "POST")
            #expect(post.status == 405 && post.headers["allow"] == "GET, HEAD")
            let head = try await client.get("/livez", method: "HEAD")
            #expect(head.status == 200 && head.body.isEmpty && head.headers["content-length"] == "6")
        }
    }

    @Test("a taken port and a foreign address are named")
    func cannotListen() async throws {
        try await AdminClient.withServer { client in
            let second = AdminServer(host: "127.0.0.1", port: client.port, answers: .fixed(), logger: .silent)
            let error = await #expect(throws: AdminServerError.self) { try await second.run() }
            #expect(error == .portTaken(host: "127.0.0.1", port: client.port))
            #expect(error.map { "\($0)".contains("127.0.0.1:\(client.port) is taken") } == true)
        }
        let foreign = AdminServer(host: "192.0.2.1", port: 0, answers: .fixed(), logger: .silent)
        let error = await #expect(throws: AdminServerError.self) { try await foreign.run() }
        #expect(error == .noSuchAddress(host: "192.0.2.1", port: 0))
    }

    @Test("heads have a limit")
    func headLimit() async throws {
        try await AdminClient.withServer { client in
            let fits = try await client.get("/livez", ["X-Long": String(repeating: "a", count: 10_000)])
            #expect(fits.status == 200)
            let long = try? await client.get("/livez", ["X-Long": String(repeating: "a", count: 20_000)])
            #expect(long?.status != 200)
            let many = Dictionary(uniqueKeysWithValues: (0..<100).map { ("X-\($0)", "a") })
            let crowded = try? await client.get("/livez", many)
            #expect(crowded?.status != 200)
            #expect(try await client.get("/livez").status == 200)
        }
    }

    @Test("a silent client is cut off, also in the middle of a head; the others go on")
    func idle() async throws {
        var limits = AdminServer.Limits()
        limits.idleTimeout = .milliseconds(300)
        try await AdminClient.withServer(.fixed(), limits: limits) { client in
            for sent in ["", "GET /livez HTTP/1.1\r\nHost: a\r\nX-"] {
                let silent = try RawConnection(port: client.port)
                silent.send(sent)
                // Another client that is as slow, on a busy machine, is cut off as well, and asks again.
                var other: AdminClient.Answer?
                for _ in 0..<50 where other == nil { other = try? await client.get("/livez") }
                #expect(other?.status == 200)
                #expect(await silent.readToEnd(within: .seconds(60)) == "")
            }
        }
    }
}

@Suite("Choice of the metrics format")
struct MetricsNegotiationTests {
    @Test(
        "Accept headers as clients send them",
        arguments: [
            (nil, false), ("*/*", false), ("text/plain", false), ("text/html,*/*;q=0.8", false), ("", false),
            ("application/openmetrics-text", true), ("Application/OpenMetrics-Text; Version=\"1.0.0\"", true),
            ("application/openmetrics-text;version=0.0.1", false),
            ("application/openmetrics-text;version=1.0.0;q=0", false),
            ("application/openmetrics-text;q=0.3, text/plain;version=0.0.4;q=0.9", false),
            (";;,=;q=x", false),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
                    + "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,"
                    + "text/plain;version=0.0.4;q=0.2,*/*;q=0.1", true
            ),
        ] as [(String?, Bool)])
    func accept(header: String?, isOpenMetrics: Bool) async throws {
        try await AdminClient.withServer { client in
            let answer = try await client.get("/metrics", header.map { ["Accept": $0] } ?? [:])
            #expect(answer.body.hasSuffix("# EOF\n") == isOpenMetrics)
        }
    }
}
