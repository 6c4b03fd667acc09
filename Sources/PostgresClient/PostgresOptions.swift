/// Where and as whom to connect.
package struct PostgresOptions: Sendable {
    /// libpq's `sslmode`. Only `verifyFull` proves who the server is.
    package enum TLSMode: String, Sendable {
        case disable, prefer, require
        case verifyCA = "verify-ca"
        case verifyFull = "verify-full"
    }

    package var host: String
    package var port: Int
    package var database: String
    package var user: String
    package var password: String?
    package var tlsMode: TLSMode = .prefer
    /// PEM file of the certificate authority that signs the server.
    package var rootCertificate: String?
    /// PEM files of the client's own certificate and key.
    package var clientCertificate: String?
    package var clientKey: String?
    /// Insist that SCRAM is bound to the TLS channel; needs TLS and a SCRAM password.
    package var requiresChannelBinding = false
    /// Shown in pg_stat_activity and pg_stat_replication.
    package var applicationName = "regionsync"
    package var connectTimeout: Duration = .seconds(5)
    /// How long sent data may stay unacknowledged before the kernel gives the connection up.
    package var tcpUserTimeout: Duration = .seconds(10)
    /// Server settings for the session, such as `wal_sender_timeout`: `2000`. They win over `textForms`.
    package var settings: [String: String] = [:]
    /// Speak the replication protocol (`replication=database`): commands of `Replication`, and SQL without parameters.
    package var isReplication = false

    /// Settings that fix how values look as text, the same on stream and snapshot, whatever the database's defaults.
    package static let textForms = [
        "DateStyle": "ISO, MDY", "IntervalStyle": "postgres", "TimeZone": "UTC", "bytea_output": "hex",
        "extra_float_digits": "3",
    ]

    package init(host: String, port: Int, database: String, user: String, password: String? = nil) {
        self.host = host
        self.port = port
        self.database = database
        self.user = user
        self.password = password
    }

    /// libpq connection parameters. Handed over by name, never as one string: nothing needs quoting or ends in an error.
    var parameters: [(name: String, value: String)] {
        var parameters = [
            ("host", host), ("port", String(port)), ("dbname", database), ("user", user),
            ("sslmode", tlsMode.rawValue), ("gssencmode", "disable"), ("client_encoding", "UTF8"),
            ("application_name", applicationName), ("keepalives_idle", "5"), ("keepalives_interval", "2"),
            ("keepalives_count", "3"), ("tcp_user_timeout", String(Int32(min(tcpUserTimeout / .milliseconds(1), 1e9)))),
            ("options", settingsText),
        ]
        if let password { parameters.append(("password", password)) }
        if let rootCertificate { parameters.append(("sslrootcert", rootCertificate)) }
        if let clientCertificate { parameters.append(("sslcert", clientCertificate)) }
        if let clientKey { parameters.append(("sslkey", clientKey)) }
        if requiresChannelBinding { parameters.append(("channel_binding", "require")) }
        if isReplication { parameters.append(("replication", "database")) }
        return parameters
    }

    /// `-c name=value` for each setting; blanks and backslashes inside a value are escaped (libpq "options").
    private var settingsText: String {
        Self.textForms.merging(settings) { _, chosen in chosen }.sorted { $0.key < $1.key }
            .map { name, value in
                "-c \(name)="
                    + value.replacing("\\", with: "\\\\").replacing(" ", with: "\\ ")
            }
            .joined(separator: " ")
    }
}
