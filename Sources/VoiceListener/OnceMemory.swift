/// Where the region's Redis remembers what was asked for under a key of `ONCE`: all writes of the voice port share these keys.
package enum OnceMemory {
    /// How long it is remembered, seconds.
    static let lifetime = "86400"

    /// The key of what an account asked for under `once`. Names of accounts have no spaces.
    package static func key(_ once: String, of account: String, tenant: String, region: String) -> String {
        "rs:{\(tenant)}:once:\(region):\(account) \(once)"
    }
}
