/// Who a client is, once it has said so: what it may do, and with which tenants.
package struct Account: Hashable, Sendable {
    /// The tenants that exist for an account; of others it is never told.
    package enum Tenants: Hashable, Sendable {
        case all
        /// Those with these dbids.
        case some(Set<Int64>)
    }

    /// The name that `AUTH` takes.
    package let name: String
    package let permissions: Set<Permission>
    package let tenants: Tenants

    package init(name: String, permissions: Set<Permission>, tenants: Tenants) {
        self.name = name
        self.permissions = permissions
        self.tenants = tenants
    }

    /// The name of who has not said a name, as in Redis.
    package static let defaultName = "default"

    /// Whether the tenant with this dbid exists for the account.
    package func sees(tenant dbid: Int64) -> Bool {
        switch tenants {
        case .all: true
        case .some(let dbids): dbids.contains(dbid)
        }
    }

    /// Whether the account may run commands that need `permission`; nil is needed by commands about the connection alone.
    package func may(_ permission: Permission?) -> Bool {
        permission.map { permissions.contains($0) } ?? true
    }
}
