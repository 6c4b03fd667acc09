/// How a failover ended.
package enum FailoverOutcome: Hashable, Sendable {
    /// All steps were done, and every check held.
    case passed
    /// Nothing was done: it was a dry run, and it would not be refused.
    case planned
    /// All steps were done, and a check found what must not be.
    case broken
    /// Nothing was changed; or another operator was faster, and this run changed nothing from there on.
    case refused([FailoverRefusal])
    /// A step could not be done; those before it are. Running it again goes on there.
    case failed(FailoverStep, reason: String)

    package var name: String {
        switch self {
        case .passed: "passed"
        case .planned: "planned"
        case .broken: "broken"
        case .refused: "refused"
        case .failed: "failed"
        }
    }

    /// Exit status of the command (operations.md): 0 pass, 1 an invariant broke, 2 refused, 3 could not be finished.
    package var exitCode: Int32 {
        switch self {
        case .passed, .planned: 0
        case .broken: 1
        case .refused: 2
        case .failed: 3
        }
    }
}

/// What became of a command of the region file.
package enum HookResult: Hashable, Sendable {
    /// The region file names none.
    case absent
    case succeeded
}

/// Where the journals of the region that is down end.
package struct DeclaredCut: Hashable, Sendable {
    /// Voice journals that were cut.
    package let journals: Int
    /// Entries up to the cuts.
    package let entries: UInt64
    /// An earlier run had declared it.
    package let wasDeclared: Bool

    package init(journals: Int, entries: UInt64, wasDeclared: Bool) {
        self.journals = journals
        self.entries = entries
        self.wasDeclared = wasDeclared
    }
}

/// What the other regions left out while the region counted as down.
package struct RejoinedJournals: Hashable, Sendable {
    /// Voice journals that are projected again, over all peers.
    package let journals: Int
    /// Their entries between the cut and here: kept, and never projected.
    package let withheld: UInt64

    package init(journals: Int, withheld: UInt64) {
        self.journals = journals
        self.withheld = withheld
    }
}

/// What the region that is down had left open.
package struct ClosedOrphans: Hashable, Sendable {
    package let calls: Int
    package let agents: Int
    /// Events that were appended for them.
    package let events: Int

    package init(calls: Int, agents: Int, events: Int) {
        self.calls = calls
        self.agents = agents
        self.events = events
    }
}

/// What was compared in the end; all but `objects` must be 0.
package struct FailoverChecks: Codable, Hashable, Sendable {
    /// Objects in the new primary.
    package let objects: Int
    /// Objects in which the region's cache differs from it.
    package let drift: Int
    /// Calls of the region that is down that are open still.
    package let openCalls: Int
    /// Agents that are logged in there still.
    package let loggedInAgents: Int
    /// Voice journals that are projected beyond the cut.
    package let beyondCut: Int
    /// Voice journals that other regions project beyond it; those that could not be reached are not counted.
    package var beyondCutElsewhere = 0

    package init(objects: Int, drift: Int, openCalls: Int, loggedInAgents: Int, beyondCut: Int) {
        self.objects = objects
        self.drift = drift
        self.openCalls = openCalls
        self.loggedInAgents = loggedInAgents
        self.beyondCut = beyondCut
    }

    package var areClean: Bool { drift + openCalls + loggedInAgents + beyondCut + beyondCutElsewhere == 0 }
}
