internal import Journal

/// A region: its Redis and its workers.
struct Region {
    let name: String
    var redis = SimulatedRedis()
    /// That of its Redis.
    var clock = HostClock()
    /// Its Redis takes connections.
    var isUp = true
    var workers: [Worker] = []
    var producer: VoiceProducer
    /// What each stream was when it was looked at last.
    var seen: [JournalName: EntryID] = [:]
    /// What its Redis was some time ago.
    var past: [[String: SimulatedRedis.Value]] = []
    /// Where its projection's cursors were then.
    var cursors: [String: EntryID] = [:]
}

/// A worker process and its parts.
struct Worker {
    var life = 0
    /// What its monotonic clock showed when the simulation began, ms: a number that no other clock knows of.
    var origin = 0
    var isRunning = false
    var isPaused = false
    var pausedAt = 0
    /// What came while it was paused.
    var inbox: [(Owner, Fact)] = []
    /// It does its region's work: it holds the lease, or is alone.
    var isWorking = false
    /// How often it began to.
    var reign = 0
    var lease: LeaseDriver?
    var links: [MirrorDriver] = []
    var voice: VoiceDriver?
    var provisioning: ProvisioningDriver?
    var capture: CaptureDriver?
}
