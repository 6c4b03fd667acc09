import Foundation
import RegionConfig
import Testing

@Suite("A region file that is right")
struct RegionFileTests {
    private let fixture = RegionFixture()

    @Test("gets the defaults that README.md names")
    func defaults() throws {
        let region = try fixture.read()
        #expect(region.name == "us-east")
        #expect(region.redis.address == Region.Address(host: "redis.east", port: 6379))
        #expect(region.redis.connectTimeout == .seconds(1))
        #expect(region.redis.responseTimeout == .seconds(3))
        #expect(region.redis.password == nil && region.redis.tls == nil)
        #expect(region.postgres.address.description == "db:5432")
        #expect(region.postgres.publication == "regionsync" && region.postgres.slot == "regionsync")
        #expect(region.postgres.snapshotReaders == 2)
        #expect(region.postgres.writer == nil)
        #expect(region.peers.map(\.windowBytes) == [8 << 20])
        #expect(region.admin.description == "127.0.0.1:15000")
        #expect(region.listeners.opened.isEmpty)
        #expect(region.retention.minimum == .seconds(3600) && region.retention.maximumBytes == nil)
        #expect(region.limits.streamsPerReader == 16)
        #expect(region.limits.callRecordTime == .seconds(600))
        #expect(region.failover.standby == nil && region.failover.fence.isEmpty && region.failover.promote.isEmpty)
        #expect(region.failover.hookTimeout == .seconds(60) && region.failover.maximumLoss == 1000)
        #expect(region.limits.labelledTenants == 10)
        #expect(region.tenants.isEmpty)
        #expect(region.catalog.tables.map(\.type) == ["thing"])
        #expect(region.catalog.tables.map(\.identity) == [["tenant", "id"]])
    }

    @Test("says how it takes over: a standby, and commands whose program is found from its folder or through PATH")
    func failover() throws {
        let region = try fixture.adding(
            "failover:", "  standby: {host: pg.east}", "  fence: [hooks/fence, --region, 'us west']",
            "  promote: [pg_ctl, promote]", "  hookTimeout: 5s", "  maximumLoss: 0"
        ).read()
        #expect(region.failover.standby == Region.Address(host: "pg.east", port: 5432))
        #expect(region.failover.fence == ["/etc/rs/hooks/fence", "--region", "us west"])
        #expect(region.failover.promote == ["pg_ctl", "promote"])
        #expect(region.failover.hookTimeout == .seconds(5) && region.failover.maximumLoss == 0)
    }

    @Test("names the role that writes, with a secret of its own or none")
    func writer() throws {
        let plain = try fixture.replacing("  user: u", with: "  user: u", "  writer: {}").read()
        #expect(plain.postgres.writer == Region.Postgres.Writer(user: "regionsync_write", password: nil))
        let own = try fixture.replacing("  user: u", with: "  user: u", "  writer: {user: w, passwordEnv: W}")
            .with(environment: ["W": "hush"]).read()
        #expect(own.postgres.writer == Region.Postgres.Writer(user: "w", password: Secret("hush")))
        #expect(own.postgres.user == "u" && own.postgres.password == nil)
    }

    @Test("may say everything; units are understood, paths start from its folder")
    func everything() throws {
        let region =
            try fixture
            .replacing(
                "  host: redis.east", with: "  host: ::1", "  username: u", "  passwordFile: secrets/redis",
                "  tls: {caFile: ca.pem, certFile: /abs/c.pem, keyFile: k.pem, serverName: r}",
                "  connectTimeout: 250ms"
            )
            .replacing("  user: u", with: "  user: u", "  passwordEnv: PGPASS", "  tls: {mode: require}")
            .replacing("  - region: eu-west", with: "  - region: eu-west", "    windowBytes: 64KiB")
            .adding(
                "listeners: {voice: {port: 8000}, config: {host: 10.0.0.1, port: 8888, allowClearText: true},",
                "  accountsFile: accounts.yaml}",
                "retention: {minimum: 2d, maximumBytes: 1GiB}", "limits: {callRecordTime: 0s, entriesPerRead: 7}",
                "tenants: [101, 102]"
            )
            .with(
                environment: ["PGPASS": "pg"],
                files: [
                    "/etc/rs/secrets/redis": "hush\nnot this\n",
                    "/etc/rs/accounts.yaml": "accounts: [{name: default, tenants: [101], permissions: [read]}]",
                ]
            ).read()
        #expect(region.redis.address.description == "[::1]:6379")
        #expect(region.redis.password == Secret("hush"))
        #expect(region.redis.tls?.caFile == "/etc/rs/ca.pem" && region.redis.tls?.certFile == "/abs/c.pem")
        #expect(region.redis.connectTimeout == .milliseconds(250))
        #expect(region.postgres.password == Secret("pg"))
        #expect(region.postgres.tls?.mode == .require)
        #expect(region.peers.map(\.windowBytes) == [65536])
        #expect(region.listeners.opened.map(\.name) == ["config", "voice"])
        #expect(region.listeners.voice?.address.isLoopback == true)
        #expect(region.listeners.accountsFile == "/etc/rs/accounts.yaml")
        #expect(region.retention.minimum == .seconds(172_800) && region.retention.maximumBytes == 1 << 30)
        #expect(region.limits.callRecordTime == .zero && region.limits.entriesPerRead == 7)
        #expect(region.tenants == [101, 102])
    }

    @Test("takes its catalog from another file, or has its own")
    func catalogFile() throws {
        let own = try fixture.read().catalog
        var shared = fixture
        shared.lines.removeLast(4)
        shared = shared.adding("catalogFile: c.yaml")
        let text = fixture.lines.suffix(4).joined(separator: "\n")
        #expect(try shared.with(files: ["/etc/rs/c.yaml": text]).read().catalog == own)
    }

    @Test("has its scalars set by the environment, peers' by their name")
    func environment() throws {
        let region = try fixture.with(
            environment: [
                "REGIONSYNC_REDIS_PORT": "7000", "REGIONSYNC_PEERS_EU_WEST_REDIS_HOST": "far",
                "REGIONSYNC_PEERS_EU_WEST_WINDOW_BYTES": "1MiB", "REGIONSYNC_ADMIN_PORT": "1",
                "REGIONSYNC_LIMITS_RETAINED_WAL_BYTES": "1GiB", "REGIONSYNC_REDIS_TLS_SERVER_NAME": "s",
                "REGIONSYNC_POSTGRES_PASSWORD_ENV": "REGIONSYNC_POSTGRES_PASSWORD",
                "REGIONSYNC_POSTGRES_PASSWORD": "p", "REGIONSYNC_FUZZ": "1", "REDIS_PORT": "2",
            ]
        ).read()
        #expect(region.redis.address.port == 7000)
        #expect(region.peers.map(\.redis.address.host) == ["far"])
        #expect(region.peers.map(\.windowBytes) == [1 << 20])
        #expect(region.admin == Region.Address(host: "127.0.0.1", port: 1))
        #expect(region.limits.retainedWALBytes == 1 << 30)
        #expect(region.redis.tls?.serverName == "s")
        #expect(region.postgres.password == Secret("p"))
    }

    @Test("never shows a secret, however it is printed")
    func secrets() throws {
        let region = try fixture.replacing("  user: u", with: "  user: u", "  passwordEnv: P")
            .with(environment: ["P": "canary"]).read()
        var dumped = ""
        dump(region, to: &dumped)
        for text in ["\(region)", String(reflecting: region), dumped, "\(region.postgres.password as Any)"] {
            #expect(!text.contains("canary"))
            #expect(text.contains("secret"))
        }
        #expect(region.postgres.password?.exposed == "canary")
    }

    @Test("is explained key by key in regions/README.md")
    func documentation() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../regions")
        let text = try String(contentsOf: folder.appending(path: "README.md"), encoding: .utf8)
        // A peer's Redis has the keys of `redis`, and all listeners have the same.
        let paths = RegionFile.keyPaths.map { path in
            path.replacing("peers[].redis.", with: "redis.")
                .replacing(/^listeners\.(?!limits)\w+\./, with: "listeners.*.")
        }
        for path in Set(paths).sorted() {
            #expect(text.contains("| `\(path)` |"), "\(path)")
        }
    }
}
