/// State of an agent on one DN.
package enum AgentState: Int, CaseIterable, Hashable, Sendable {
    /// Logged out. → notReady
    case null = 0
    /// Logged in and not to be given calls; after-call work is this with WorkMode 3. → ready, notReady, null
    case notReady = 1
    /// Waits for a call. → notReady, null
    case ready = 2

    /// The state after an event, or nil where domain.md has no transition.
    ///
    /// Beyond domain.md, a login begins a new session whatever was before: a desktop that crashed logs in again without a
    /// Logout, and if that did not count, an earlier login in another region would.
    package func next(after event: EventName) -> AgentState? {
        switch (self, event) {
        case (_, .agentLogin): .notReady
        case (.notReady, .agentReady): .ready
        case (.ready, .agentNotReady), (.ready, .agentAfterCallWork): .notReady
        case (.notReady, .agentLogout), (.ready, .agentLogout): .null
        default: nil
        }
    }
}
