/// What is found before a failover begins: everything comes from the surviving side.
package struct FailoverFound: Hashable, Sendable {
    package var database: Result<FoundDatabase, Unreachable>
    package var holding: Result<FoundHolding, Unreachable>
    package var worker: Result<FoundWorker, Unreachable>
    /// For a region that came back only.
    package var returning: Result<FoundReturn, Unreachable>?

    package init(
        database: Result<FoundDatabase, Unreachable>, holding: Result<FoundHolding, Unreachable>,
        worker: Result<FoundWorker, Unreachable>, returning: Result<FoundReturn, Unreachable>? = nil
    ) {
        self.database = database
        self.holding = holding
        self.worker = worker
        self.returning = returning
    }
}

/// Somebody did not answer, or not as needed; why, in words for people.
package struct Unreachable: Error, Hashable, Sendable {
    package let reason: String

    package init(_ reason: String) { self.reason = reason }
}

/// The PostgreSQL server that is to be the primary.
package struct FoundDatabase: Hashable, Sendable {
    /// A row of `regionsync.history`.
    package struct History: Hashable, Sendable {
        package let number: UInt64
        package let systemID: String
        package let timeline: UInt32
        package let captureRegion: String

        package init(number: UInt64, systemID: String, timeline: UInt32, captureRegion: String) {
            self.number = number
            self.systemID = systemID
            self.timeline = timeline
            self.captureRegion = captureRegion
        }
    }

    package var isInRecovery: Bool
    package var systemID: String
    package var timeline: UInt32
    /// All rows, newest first.
    package var history: [History]
    /// The first transaction ID that this server itself gives out, once it is promoted; what the old primary committed
    /// from there on is lost.
    package var nextTransaction: UInt64?

    package init(
        isInRecovery: Bool, systemID: String, timeline: UInt32, history: [History], nextTransaction: UInt64? = nil
    ) {
        self.isInRecovery = isInRecovery
        self.systemID = systemID
        self.timeline = timeline
        self.history = history
        self.nextTransaction = nextTransaction
    }
}

/// What the surviving region's Redis holds of the region that is down.
package struct FoundHolding: Hashable, Sendable {
    /// When the region that is down said last what it has, and what that was.
    package struct Heard: Hashable, Sendable {
        package var age: Duration
        /// Voice entries that it had for the survivor.
        package var voice: UInt64
        /// Highest rate of voice entries a second, of those that its probes show; nil when too few are there.
        package var rate: Double?

        package init(age: Duration, voice: UInt64, rate: Double?) {
            self.age = age
            self.voice = voice
            self.rate = rate
        }
    }

    package var heard: Heard?
    /// Voice entries of the region that is down, ever given to the copies.
    package var voice: UInt64
    /// Its voice journals.
    package var journals: Int
    /// The newest history of which a provisioning journal here holds anything.
    package var history: UInt64
    /// The history under which the region was declared down; nil when it is not.
    package var declared: UInt64?
    /// Whether the region gave a sign of life while this was looked at.
    package var lives = false
    /// The regions beside the survivor and the one that is down.
    package var others: [FoundOther] = []
    /// Voice entries of the region that is down which others alone have, and the survivor can get: at least so many.
    package var elsewhere: UInt64 { others.map(\.voice).max() ?? 0 }

    package init(heard: Heard?, voice: UInt64, journals: Int, history: UInt64, declared: UInt64?) {
        self.heard = heard
        self.voice = voice
        self.journals = journals
        self.history = history
        self.declared = declared
    }
}

/// The surviving region's worker, by its own word.
package struct FoundWorker: Hashable, Sendable {
    package var region: String
    /// What readers have to wait for; empty when it is ready.
    package var waitingFor: [String]

    package init(region: String, waitingFor: [String]) {
        self.region = region
        self.waitingFor = waitingFor
    }
}

/// How a region stands that came back.
package struct FoundReturn: Hashable, Sendable {
    /// Voice journals of its own that somebody writes to: its front ends are at work, and other regions know nothing of it.
    package var written: Int
    /// Voice journals of its own of which some peer lacks entries.
    package var behind: Int

    package init(written: Int, behind: Int) {
        self.written = written
        self.behind = behind
    }
}
