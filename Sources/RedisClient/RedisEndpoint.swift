/// Where a Redis server is and how to be let in.
package struct RedisEndpoint: Hashable, Sendable {
    package var host: String
    package var port: Int
    /// The ACL user; without one, `password` is that of the default user.
    package var username: String?
    package var password: String?
    /// How to encrypt; `nil` for plain TCP.
    package var tls: TLS?
    /// How long it may take until a connection is open, TLS and AUTH included.
    package var connectTimeout: Duration = .seconds(1)
    /// How long the server may be silent while a command waits for its answer.
    package var responseTimeout: Duration = .seconds(5)
    /// How long the link may be dead before that is known. A third of it without traffic brings a PING, which has the
    /// other two thirds to be answered; the kernel gives up unacknowledged bytes after it.
    package var linkTimeout: Duration = .milliseconds(2400)
    /// How large one reply may be, in wire form, bytes; a larger one ends the connection.
    package var replyBytes = 512 << 20
    /// Whether to ask for BBR as congestion control, for links across a WAN: at 2 % loss twelve times the kernel's default.
    /// Where the kernel does not have it or we may not use it, its default stays.
    package var prefersBBR = false

    package init(
        host: String, port: Int, username: String? = nil, password: String? = nil, tls: TLS? = nil,
        connectTimeout: Duration = .seconds(1), responseTimeout: Duration = .seconds(5),
        linkTimeout: Duration = .milliseconds(2400)
    ) {
        self.host = host
        self.port = port
        self.username = username
        self.password = password
        self.tls = tls
        self.connectTimeout = connectTimeout
        self.responseTimeout = responseTimeout
        self.linkTimeout = linkTimeout
    }
}

extension RedisEndpoint {
    /// TLS settings. Files are PEM and read anew for every connection, so that renewed ones are taken up.
    package struct TLS: Hashable, Sendable {
        /// What is checked of the server's certificate.
        package enum Verification: Hashable, Sendable {
            /// That it was issued by a trusted authority for this host: its name, `serverName`, or the address connected to.
            case full
            /// That it was issued by a trusted authority, for whatever host.
            case noHostname
            /// Nothing: encrypted, but with anyone.
            case none
        }

        /// The authorities to trust; `nil` for those of the system.
        package var caFile: String?
        /// Our own certificate chain, if the server asks for one; together with `keyFile`.
        package var certFile: String?
        package var keyFile: String?
        /// The name to ask and check for, where it differs from the host.
        package var serverName: String?
        package var verify: Verification = .full

        package init(
            caFile: String? = nil, certFile: String? = nil, keyFile: String? = nil, serverName: String? = nil,
            verify: Verification = .full
        ) {
            self.caFile = caFile
            self.certFile = certFile
            self.keyFile = keyFile
            self.serverName = serverName
            self.verify = verify
        }
    }
}

extension RedisEndpoint: CustomStringConvertible, CustomDebugStringConvertible {
    /// Host and port; never the password.
    package var description: String { "\(host):\(port)" }
    package var debugDescription: String { description }
}
