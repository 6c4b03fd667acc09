package import PostgresClient
package import RegionConfig

extension PostgresOptions {
    /// A region file's PostgreSQL. `purpose` ends the application name, so that sessions can be told apart.
    package init(_ postgres: Region.Postgres, region: String, purpose: String) {
        self.init(
            host: postgres.address.host, port: postgres.address.port, database: postgres.database,
            user: postgres.user, password: postgres.password?.exposed)
        connectTimeout = postgres.connectTimeout
        applicationName = "regionsync-\(region)-\(purpose)"
        tlsMode = .disable
        if let tls = postgres.tls {
            switch tls.mode {
            case .require: tlsMode = .require
            case .verifyCA: tlsMode = .verifyCA
            case .verifyFull: tlsMode = .verifyFull
            }
            rootCertificate = tls.rootCertificate
            clientCertificate = tls.certFile
            clientKey = tls.keyFile
        }
    }
}

extension Region {
    /// The PostgreSQL servers of which one is the primary: the region file's, and the standby that this region promotes.
    package func postgresServers(purpose: String) -> [PostgresOptions] {
        let usual = PostgresOptions(postgres, region: name, purpose: purpose)
        guard let standby = failover.standby, standby != postgres.address else { return [usual] }
        var other = usual
        other.host = standby.host
        other.port = standby.port
        return [usual, other]
    }

    /// The same servers for the role that writes objects; nil where the region file names none.
    package func postgresWriters(purpose: String) -> [PostgresOptions]? {
        postgres.writer.map { writer in
            postgresServers(purpose: purpose).map { server in
                var server = server
                server.user = writer.user
                server.password = writer.password?.exposed
                return server
            }
        }
    }

    /// The standby that this region promotes; the region file's PostgreSQL where it names no other.
    package func postgresStandby(purpose: String) -> PostgresOptions {
        let servers = postgresServers(purpose: purpose)
        return servers[servers.count - 1]
    }
}
