package import Journal

/// One agent over all regions: folds the events of every region's journal, in any interleaving of the journals.
///
/// Each region's events move only that region's session, so legality does not depend on how journals interleave. Which
/// session counts follows from the logins alone: the one with the higher entry ID, of equal ones that of the region
/// whose name is greater (domain.md, "Agents"). A session that lost to another stays until its Logout is read; that
/// Logout is the loser's to write (`Loss`).
package struct AgentMachine: Hashable, Sendable {
    /// An agent on one DN of one region.
    package struct Session: Hashable, Sendable {
        package let region: String
        package let dn: String
        /// Null where a DN is known only by its features.
        package internal(set) var state = AgentState.null
        package internal(set) var workMode = WorkMode.unknown
        package internal(set) var place: String?
        /// Entry of the login that this session is; zero when none was read.
        package internal(set) var login = EntryID.zero
        /// When it came into this state, µs since 1970.
        package internal(set) var since: Int64 = 0
        package internal(set) var features = Features()
        /// Reasons of the last event, JSON.
        package internal(set) var reasons: String?
    }

    /// What is set on a DN besides the agent's state.
    package struct Features: OptionSet, Hashable, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }

        package static let doNotDisturb = Features(rawValue: 1)
        package static let forwarded = Features(rawValue: 2)
        package static let outOfService = Features(rawValue: 4)
    }

    package let agentID: String
    /// By rising region and DN.
    package internal(set) var sessions: [Session] = []
    /// The last login of each region, also of one that has logged out since.
    package internal(set) var lastLogins: [String: EntryID] = [:]

    /// An agent of whom no event is known yet.
    package init(agentID: String) { self.agentID = agentID }

    /// The region whose login counts, also when that session has logged out since; nil before any login.
    package var region: String? { latestLogin(where: { _ in true })?.region }

    /// The sessions that count: logged in, and not made void by a login in another region.
    package var current: [Session] { sessions.filter { $0.state != .null && !isVoid($0) } }

    package func session(region: String, dn: String) -> Session? {
        index(region, dn).map { sessions[$0] }
    }

    // MARK: Facts

    /// An event of this agent was read at `entry` of the journal born in `origin`.
    package mutating func eventRead(_ event: VoiceEvent, at entry: EntryID, from origin: String) -> Transition {
        guard event.subject == .agent(id: agentID), let dn = event.thisDN else { return .illegal(.otherSubject) }
        // A survivor logs out the agents of a region declared down in its own journal.
        let region = event.regionDown ?? origin
        var session = session(region: region, dn: dn) ?? Session(region: region, dn: dn)
        let before = session
        switch event.name {
        case .dndOn: session.features.insert(.doNotDisturb)
        case .dndOff: session.features.remove(.doNotDisturb)
        case .forwardSet: session.features.insert(.forwarded)
        case .forwardCancel: session.features.remove(.forwarded)
        case .dnOutOfService: session.features.insert(.outOfService)
        case .dnBackInService: session.features.remove(.outOfService)
        case .queueLogout where session.state != .null: return .noted
        default:
            guard let next = AgentMachine.next(of: session, after: event) else {
                return .illegal(.agent(from: session.state, by: event.name))
            }
            move(&session, to: next, event, at: entry)
        }
        if session == before { return .noted }
        store(session)
        return .moved
    }

    // MARK: Rules

    /// domain.md's transitions, and besides them the same state again when the work mode or the reasons are others.
    private static func next(of session: Session, after event: VoiceEvent) -> AgentState? {
        if let next = session.state.next(after: event.name) { return next }
        let stays =
            switch (session.state, event.name) {
            case (.ready, .agentReady), (.notReady, .agentNotReady), (.notReady, .agentAfterCallWork): true
            default: false
            }
        let changes = workMode(of: event) != session.workMode || event.reasons != session.reasons
        return stays && changes ? session.state : nil
    }

    private static func workMode(of event: VoiceEvent) -> WorkMode {
        event.name == .agentAfterCallWork ? .afterCallWork : event.workMode ?? .unknown
    }

    private mutating func move(
        _ session: inout Session, to state: AgentState, _ event: VoiceEvent, at entry: EntryID
    ) {
        session.state = state
        session.since = event.time ?? 0
        session.reasons = event.reasons
        session.place = event.place ?? session.place
        session.workMode = state == .null ? .unknown : AgentMachine.workMode(of: event)
        if event.name == .agentLogin {
            session.login = entry
            lastLogins[session.region] = max(lastLogins[session.region] ?? .zero, entry)
        }
    }

    /// Whether a login in another region has the higher entry ID. Once so it stays so: last logins only rise.
    func isVoid(_ session: Session) -> Bool {
        guard let rival = latestLogin(where: { $0 != session.region }) else { return false }
        return (session.login, session.region) < (rival.entry, rival.region)
    }

    private func latestLogin(where allows: (String) -> Bool) -> (entry: EntryID, region: String)? {
        lastLogins.filter { allows($0.key) }.map { (entry: $0.value, region: $0.key) }
            .max { ($0.entry, $0.region) < ($1.entry, $1.region) }
    }

    private mutating func store(_ session: Session) {
        let position = index(session.region, session.dn)
        let isIdle = session.state == .null && session.features.isEmpty
        switch (position, isIdle) {
        case (let position?, true): sessions.remove(at: position)
        case (let position?, false): sessions[position] = session
        case (nil, true): break
        case (nil, false):
            let later = sessions.firstIndex { ($0.region, $0.dn) > (session.region, session.dn) }
            sessions.insert(session, at: later ?? sessions.count)
        }
    }

    private func index(_ region: String, _ dn: String) -> Int? {
        sessions.firstIndex { $0.region == region && $0.dn == dn }
    }
}
