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
