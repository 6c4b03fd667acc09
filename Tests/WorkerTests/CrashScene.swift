import CrashPoints

/// What has to be going on for a worker to come to a step. Each scene is a test that kills workers at all of its steps.
enum CrashScene {
    /// Regions that no worker has ever run in.
    case firstStart
    /// PostgreSQL has lost the slot, and changed since.
    case resnapshot
    /// Calls, rows and heartbeats.
    case load
    /// Something of the cache is wrong.
    case repair
    /// A row came without what it changes.
    case quarantine
    /// An agent has logged in elsewhere.
    case logout
    /// Another region has asked for what is alive.
    case restating
    /// A journal has lost its tail.
    case healing
    /// A journal has lost its tail and goes on.
    case forking
    /// A journal has lost its mark.
    case adopting
    /// A journal was trimmed before its peer had it.
    case gap

    /// Its steps.
    var points: [CrashPoint] { CrashPoint.allCases.filter { $0.scene == self } }
}

extension CrashPoint {
    /// Where it is killed at. A step that is in no scene does not compile, and one that nothing passes fails its scene.
    var scene: CrashScene {
        switch self {
        case .leaseTaken, .captureNoted, .historyBegun, .publicationCreated, .snapshotAnnounced, .slotCreated,
            .snapshotCopied, .snapshotEnded:
            .firstStart
        case .snapshotSettled, .snapshotGone: .resnapshot
        case .captureReceived, .captureSent, .captureAppended, .captureConfirmed, .mirrorAligned, .mirrorRead,
            .mirrorSent, .mirrorAcknowledged, .provisioningRead, .provisioningSent, .provisioningApplied, .voiceRead,
            .voiceSent, .voiceApplied, .controlRead, .controlApplied, .trimmed:
            .load
        case .repairWatched, .repairMoved, .repairMended, .repairReleased, .repairRecounted, .repairReplaced,
            .repairRebuilt, .repairNotedFresh:
            .repair
        case .provisioningQuarantined: .quarantine
        case .logoutSent, .logoutAppended: .logout
        case .restateTold, .restateEnded: .restating
        case .mirrorTailRead, .mirrorHealSent, .mirrorHealed: .healing
        case .mirrorRebirthSent, .mirrorReborn, .mirrorForkSent, .mirrorForked, .mirrorForkTold: .forking
        case .mirrorAdoptionSent, .mirrorAdopted: .adopting
        case .mirrorMissedNoted, .mirrorGapNoted, .mirrorGapTold: .gap
        }
    }
}
