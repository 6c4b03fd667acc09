import Journal

extension AgentMachine {
    /// Sessions in one region that a login in another made void and whose Logout was not read yet. Their region's worker
    /// writes it, into its own journal.
    package struct Loss: Hashable, Sendable {
        package let agentID: String
        package let region: String
        /// By rising DN; at least one.
        package let sessions: [Session]
    }

    /// What a region has lost of this agent; nil when nothing.
    package func loss(of region: String) -> Loss? {
        let void = sessions.filter { $0.region == region && $0.state != .null && isVoid($0) }
        return void.isEmpty ? nil : Loss(agentID: agentID, region: region, sessions: void)
    }
}

extension AgentMachine.Loss {
    /// The Logouts that the losing region's worker appends, one a session, in their order: events of `server` as of `time`,
    /// µs since 1970. Whoever makes one for the same session gives it the same `id`.
    package func logouts(server: String, time: Int64) -> [VoiceEvent] {
        sessions.map { session in
            var event = VoiceEvent(.agentLogout, key: agentID)
            event.id = "\(region)-superseded-\(session.login)-\(agentID)-\(session.dn)"
            event.server = server
            event.thisDN = session.dn
            event.time = time
            event.agentID = agentID
            event.place = session.place
            return event
        }
    }
}
