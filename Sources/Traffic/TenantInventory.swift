/// What exists at a tenant for calls to use: agents at their DNs, queues, routing points.
package struct TenantInventory: Hashable, Sendable {
    /// An agent at a place.
    package struct Agent: Hashable, Sendable {
        /// The person's employee ID.
        package let id: String
        /// Number of the DN where the agent logs in.
        package let dn: String
        package let place: String

        package init(id: String, dn: String, place: String) {
            self.id = id
            self.dn = dn
            self.place = place
        }
    }

    /// The tenant's dbid.
    package let tenant: Int64
    package let agents: [Agent]
    /// Numbers of ACD queues.
    package let queues: [String]
    package let routingPoints: [String]

    package init(tenant: Int64, agents: [Agent], queues: [String], routingPoints: [String]) {
        self.tenant = tenant
        self.agents = agents
        self.queues = queues
        self.routingPoints = routingPoints
    }

    /// The part of the agents that works in one of `count` regions, since an agent is logged in in one at a time. Queues
    /// and routing points serve all.
    package func share(_ index: Int, of count: Int) -> TenantInventory {
        let own = agents.enumerated().filter { $0.offset % count == index }.map(\.element)
        return TenantInventory(tenant: tenant, agents: own, queues: queues, routingPoints: routingPoints)
    }

    /// A tenant that stands in no database, for load without provisioning.
    package static func synthetic(tenant: Int64, agents: Int = 20) -> TenantInventory {
        TenantInventory(
            tenant: tenant,
            agents: (0..<agents).map { number in
                Agent(id: "A\(tenant)-\(number)", dn: "\(20_000 + number)", place: "Place_\(number)")
            },
            queues: ["9001", "9002"], routingPoints: ["9101"])
    }

    /// Whether any call can be made of it.
    package var isUsable: Bool { !queues.isEmpty || agents.count > 1 }
}
