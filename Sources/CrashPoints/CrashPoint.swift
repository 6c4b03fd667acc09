internal import Foundation
internal import Synchronization

/// A step between input and output at which a worker can be made to die, so that tests kill it at each of them.
///
/// `REGIONSYNC_CRASH_AT=capture.appended:3` sends SIGKILL to the process that passes the step for the third time; without
/// the variable a step costs a comparison. What each name stands for has happened when it is passed; what follows it has
/// not.
package enum CrashPoint: String, CaseIterable, Sendable {
    /// The region's lease is this worker's.
    case leaseTaken = "lease.taken"

    /// The region's Redis says that capture runs; nothing else was done.
    case captureNoted = "capture.noted"
    /// The history's row is in PostgreSQL.
    case historyBegun = "capture.history-begun"
    case publicationCreated = "capture.publication-created"
    /// The journal says that a snapshot comes; there is no slot yet.
    case snapshotAnnounced = "capture.snapshot-announced"
    /// The cache has all that stands before that, and may be compared with PostgreSQL; there is no new slot yet.
    case snapshotSettled = "capture.snapshot-settled"
    case slotCreated = "capture.slot-created"
    /// Rows of a snapshot are on their way to Redis.
    case snapshotCopied = "capture.snapshot-copied"
    /// Names of objects that PostgreSQL no longer has are, too.
    case snapshotGone = "capture.snapshot-gone"
    /// All rows of a snapshot are, and its end.
    case snapshotEnded = "capture.snapshot-ended"
    /// Bytes of PostgreSQL were read.
    case captureReceived = "capture.received"
    /// Entries are on their way to Redis.
    case captureSent = "capture.sent"
    /// Redis has answered that they are in the journal.
    case captureAppended = "capture.appended"
    /// PostgreSQL was told what it may forget.
    case captureConfirmed = "capture.confirmed"

    /// A journal's copy was looked at.
    case mirrorAligned = "mirror.aligned"
    case mirrorRead = "mirror.read"
    /// Entries are on their way to the peer.
    case mirrorSent = "mirror.sent"
    /// The peer has answered that it has them.
    case mirrorAcknowledged = "mirror.acknowledged"
    /// How many entries a copy will never have is on its way to be noted beside the journal.
    case mirrorMissedNoted = "mirror.missed-noted"
    /// The same beside the copy.
    case mirrorGapNoted = "mirror.gap-noted"
    /// The peer has heard that its copy of a provisioning journal goes on behind a gap.
    case mirrorGapTold = "mirror.gap-told"
    /// A piece of what only the copy has was read.
    case mirrorTailRead = "mirror.tail-read"
    /// It is on its way back to the journal.
    case mirrorHealSent = "mirror.heal-sent"
    /// The journal has it again.
    case mirrorHealed = "mirror.healed"
    /// A new mark is on its way to the journal.
    case mirrorRebirthSent = "mirror.rebirth-sent"
    /// The journal has it; the copy has the old one.
    case mirrorReborn = "mirror.reborn"
    case mirrorAdoptionSent = "mirror.adoption-sent"
    /// The copy has its journal's mark.
    case mirrorAdopted = "mirror.adopted"
    case mirrorForkSent = "mirror.fork-sent"
    /// The copy was set aside.
    case mirrorForked = "mirror.forked"
    /// That was counted; that it was is on its way to be noted.
    case mirrorForkTold = "mirror.fork-told"

    case provisioningRead = "provisioning.read"
    /// Changes of state are on their way to Redis.
    case provisioningSent = "provisioning.sent"
    /// Redis has answered that they are made.
    case provisioningApplied = "provisioning.applied"
    /// An object that could not be projected is in quarantine.
    case provisioningQuarantined = "provisioning.quarantined"
    case voiceRead = "voice.read"
    case voiceSent = "voice.sent"
    case voiceApplied = "voice.applied"
    /// Logouts of sessions that a login elsewhere made void are on their way to the own journal.
    case logoutSent = "voice.logout-sent"
    /// They are in it.
    case logoutAppended = "voice.logout-appended"
    case controlRead = "control.read"
    case controlApplied = "control.applied"
    /// Some of what was asked for was restated.
    case restateTold = "restate.told"
    /// All of a tenant's was, and that is noted.
    case restateEnded = "restate.ended"

    case trimmed = "trim.trimmed"
    /// Objects that may differ are watched.
    case repairWatched = "repair.watched"
    /// Something was committed, so that the projection comes to where objects can be judged.
    case repairMoved = "repair.moved"
    case repairMended = "repair.mended"
    /// Watches were ended, and nothing was written.
    case repairReleased = "repair.released"
    /// A bucket's counters were wrong and are right.
    case repairRecounted = "repair.recounted"
    /// Keys that held something else were replaced; what they should hold is not there yet.
    case repairReplaced = "repair.replaced"
    /// It is, and that is noted.
    case repairRebuilt = "repair.rebuilt"
    /// The cache is no longer marked as stale.
    case repairNotedFresh = "repair.noted-fresh"

    /// The variable of the environment that names a step and, behind a colon, the how many-th time; 1 without it.
    package static let variable = "REGIONSYNC_CRASH_AT"

    /// Dies here if this is the step, and the time, that the environment names.
    package func pass() {
        guard let armed = Self.armed, armed.point == self else { return }
        if armed.left.subtract(1, ordering: .relaxed).newValue == 0 { kill(getpid(), SIGKILL) }
    }

    /// What the environment names; nil if nothing, or nothing that is one.
    private static let armed = value.flatMap { Armed($0) }

    private static let value = ProcessInfo.processInfo.environment[variable]

    /// What the environment names and is no step; nil if there is nothing wrong.
    package static var misnamed: String? { armed == nil ? value : nil }

    /// Whether this process will die at a step.
    package static var isArmed: Bool { armed != nil }

    private final class Armed: Sendable {
        let point: CrashPoint
        let left: Atomic<Int>

        init?(_ text: String) {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard let point = CrashPoint(rawValue: String(parts[0])), parts.count <= 2,
                let times = parts.count == 2 ? Int(parts[1]) : 1, times > 0
            else { return nil }
            self.point = point
            left = Atomic(times)
        }
    }
}
