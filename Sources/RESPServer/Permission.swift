/// What an account may do with the tenants it sees.
package enum Permission: String, CaseIterable, Hashable, Sendable {
    /// Ask for what there is, and follow what changes.
    case read
    /// Change provisioning; append events.
    case write
    /// Ask for calls to be made, and run campaigns.
    case control
}
