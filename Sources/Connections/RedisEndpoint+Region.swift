package import RedisClient
package import RegionConfig

extension RedisEndpoint {
    /// A region file's Redis.
    package init(_ redis: Region.Redis) {
        self.init(
            host: redis.address.host, port: redis.address.port, username: redis.username,
            password: redis.password?.exposed,
            tls: redis.tls.map {
                TLS(caFile: $0.caFile, certFile: $0.certFile, keyFile: $0.keyFile, serverName: $0.serverName)
            }, connectTimeout: redis.connectTimeout, responseTimeout: redis.responseTimeout)
    }
}
