/// What the port says it is.
package struct ServerIdentity: Hashable, Sendable {
    /// The Redis whose commands of the connection these are, for clients that choose by version.
    package static let redisVersion = "7.0.0"

    /// The worker's own version.
    package let version: String

    package init(version: String) {
        self.version = version
    }
}
