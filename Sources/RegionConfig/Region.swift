/// Everything a region file says, with defaults filled in, secrets read and paths made absolute by the file's folder.
///
/// `regions/README.md` explains every key; `RegionFile` reads one.
package struct Region: Hashable, Sendable {
    /// The region's name: origin of its journals.
    package let name: String
    /// The region's own Redis.
    package let redis: Redis
    /// The one PostgreSQL of all regions.
    package let postgres: Postgres
    /// The other regions; none has this region's name and none stands twice.
    package let peers: [Peer]
    /// Where `/metrics`, `/livez`, `/readyz` and `/status` are served.
    package let admin: Address
    /// The ports the worker serves.
    package let listeners: Listeners
    /// How long journals are kept.
    package let retention: Retention
    /// Bounds of memory, batches and records.
    package let limits: Limits
    /// How this region takes over from one that died.
    package let failover: Failover
    /// How the cache is compared with PostgreSQL.
    package let verification: Verification
    /// Dbids of tenants whose voice journals are mirrored before provisioning has named them.
    package let tenants: [Int64]
    /// The tables to capture.
    package let catalog: Catalog

    /// A host name or address and a TCP port.
    package struct Address: Hashable, Sendable {
        /// Name, IPv4 or IPv6 address; for PostgreSQL also the folder of a Unix socket.
        package let host: String
        /// 1 to 65,535.
        package let port: Int

        /// The port at `host`.
        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// A Redis server and how to be let in.
    package struct Redis: Hashable, Sendable {
        /// Where it listens.
        package let address: Address
        /// ACL user; nil: the default user.
        package let username: String?
        /// Password; nil: none is sent.
        package let password: Secret?
        /// Nil: in the clear.
        package let tls: TLS?
        /// Per attempt, TLS and AUTH included.
        package let connectTimeout: Duration
        /// Until an answer to a command that does not block.
        package let responseTimeout: Duration

        /// TLS towards a Redis. The server's certificate is always verified.
        package struct TLS: Hashable, Sendable {
            /// Certificates to trust, PEM; nil: the system's.
            package let caFile: String?
            /// Certificate to show, PEM; stands together with `keyFile`.
            package let certFile: String?
            /// Its key, PEM.
            package let keyFile: String?
            /// The name the certificate must carry; nil: the host.
            package let serverName: String?
        }
    }

    /// The PostgreSQL database and how to be let in.
    package struct Postgres: Hashable, Sendable {
        /// Where it listens.
        package let address: Address
        /// Database.
        package let database: String
        /// Role that captures and reads.
        package let user: String
        /// Password; nil: none is sent.
        package let password: Secret?
        /// Nil: in the clear.
        package let tls: TLS?
        /// Per attempt.
        package let connectTimeout: Duration
        /// Publication that carries the catalog's tables.
        package let publication: String
        /// Logical replication slot.
        package let slot: String
        /// Connections that copy tables in parallel, 1 to 16.
        package let snapshotReaders: Int
        /// The role that clients' writes are made with; nil: there are no writes.
        package let writer: Writer?

        /// A role of the same database that may change objects.
        package struct Writer: Hashable, Sendable {
            /// Its name.
            package let user: String
            /// Password; nil: none is sent.
            package let password: Secret?

            package init(user: String, password: Secret?) {
                self.user = user
                self.password = password
            }
        }

        /// TLS towards PostgreSQL, by libpq's words.
        package struct TLS: Hashable, Sendable {
            /// How far the server's certificate is verified.
            package enum Mode: String, CaseIterable, Hashable, Sendable {
                /// Encrypted, not verified.
                case require
                /// Signed by a trusted authority.
                case verifyCA = "verify-ca"
                /// And made out for this host.
                case verifyFull = "verify-full"
            }

            /// How far the server's certificate is verified.
            package let mode: Mode
            /// Certificates to trust, PEM; required for `verify-ca` and `verify-full`.
            package let rootCertificate: String?
            /// Certificate to show, PEM; stands together with `keyFile`.
            package let certFile: String?
            /// Its key, PEM.
            package let keyFile: String?
        }
    }

    /// Another region.
    package struct Peer: Hashable, Sendable {
        /// Its name.
        package let region: String
        /// Its Redis, as seen from here.
        package let redis: Redis
        /// Unanswered bytes on the way to it at most; at least bandwidth × round trip.
        package let windowBytes: Int
    }

    /// How long journals are kept.
    package struct Retention: Hashable, Sendable {
        /// Entries younger than this are kept even when every reader has them.
        package let minimum: Duration
        /// Bytes a journal may take; beyond it the oldest go even if a reader lacks them (counted as lost). Nil: no bound.
        package let maximumBytes: Int?
    }

    /// How the worker compares the region's cache with PostgreSQL, again and again.
    package struct Verification: Hashable, Sendable {
        /// One pass over the catalog takes so long.
        package let interval: Duration
        /// From the worker's start until its first pass, which goes on without pauses.
        package let delay: Duration
        /// Differing objects that are looked at in a second at most.
        package let objectsPerSecond: Int
        /// Whether what differs for good is put right.
        package let repair: Bool
    }

    /// Bounds of memory, batches and records.
    package struct Limits: Hashable, Sendable {
        /// Streams one blocking read waits on.
        package let streamsPerReader: Int
        /// Entries one read asks of one stream.
        package let entriesPerRead: Int
        /// Objects of one tenant that are applied in one call; larger transactions go in chunks under a mark.
        package let objectsPerApply: Int
        /// How long the record of an ended call stays readable.
        package let callRecordTime: Duration
        /// WAL our slot may hold back before alarms call it dangerous.
        package let retainedWALBytes: Int
        /// Tenants that metrics name in a label.
        package let labelledTenants: Int
    }
}

extension Region.Address: CustomStringConvertible {
    /// `127.0.0.1:6379`, `[::1]:6379`.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
