internal import Journal

/// A region: its Redis and its workers.
struct Region {
    let name: String
    var redis = SimulatedRedis()
    /// Its Redis takes connections.
    var isUp = true
    var workers: [Worker] = []
    var producer: VoiceProducer
    /// What each stream was when it was looked at last.
    var seen: [JournalName: EntryID] = [:]
    /// Where its projection's cursors were then.
    var cursors: [String: EntryID] = [:]
}

/// A worker process and its parts.
struct Worker {
    var life = 0
    var isRunning = false
    var isPaused = false
    /// What came while it was paused.
    var inbox: [(Owner, Fact)] = []
    var links: [MirrorDriver] = []
    var voice: VoiceDriver?
    var provisioning: ProvisioningDriver?
    var capture: CaptureDriver?
}
