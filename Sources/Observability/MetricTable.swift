/// Metrics of the engines (operations.md, Metrics).
extension MetricFamily {
    package static let buildInfo = gauge(
        "regionsync_build_info", "1, with the version and the region of this worker.", labels: [.version, .region])
    package static let state = gauge(
        "regionsync_state", "1 for the state a component is in, 0 for those it was in before.",
        labels: [.component, .state])
    package static let droppedSeries = counter(
        "regionsync_dropped_series", "Series refused because their metric already had as many as it may.",
        labels: [.family])

    package static let captureConnected = gauge(
        "regionsync_capture_connected", "1 while the replication stream is open, else 0.")
    package static let captureLagBytes = gauge(
        "regionsync_capture_lag_bytes", "WAL written by PostgreSQL and not yet confirmed by capture.", unit: .bytes)
    package static let captureLagSeconds = gauge(
        "regionsync_capture_lag_seconds", "Age of the oldest committed transaction not yet in the journal.",
        unit: .seconds)
    package static let captureSlotRetainedWALBytes = gauge(
        "regionsync_capture_slot_retained_wal_bytes", "WAL that PostgreSQL keeps for our slot.", unit: .bytes)
    package static let captureSlotSafeWALBytes = gauge(
        "regionsync_capture_slot_safe_wal_bytes", "WAL that may still be written before our slot is lost.",
        unit: .bytes)
    package static let captureTransactions = counter(
        "regionsync_capture_transactions", "Committed transactions appended to the journal.")
    package static let captureChanges = counter(
        "regionsync_capture_changes", "Row changes read from the replication stream.", labels: [.table, .op])
    package static let captureResnapshots = counter(
        "regionsync_capture_resnapshots",
        "Snapshots begun to find what capture missed, by what kept it from going on at its position.", labels: [.cause])
    package static let commitToVisibleSeconds = histogram(
        "regionsync_commit_to_visible_seconds", "Commit in PostgreSQL until visible in this region's cache.",
        bounds: latencyBounds)
    package static let capturing = gauge(
        "regionsync_capturing", "1 while this region is the one that captures, else 0.")
    package static let historyNumber = gauge(
        "regionsync_history_number", "Number of the newest row of regionsync.history known here.")

    package static let mirrorLinkUp = gauge(
        "regionsync_mirror_link_up", "1 while the link to a peer carries probes, else 0.", labels: [.peer])
    package static let mirrorCut = gauge(
        "regionsync_mirror_cut",
        "1 for the way in which a link that is down is cut, as far as it can be told: out, in or unknown; else 0.",
        labels: [.peer, .direction])
    package static let mirrorLagSeconds = gauge(
        "regionsync_mirror_lag_seconds", "Age of the last probe that came back from a peer.", unit: .seconds,
        labels: [.peer])
    package static let mirrorLagEntries = gauge(
        "regionsync_mirror_lag_entries", "Entries of own journals a peer does not have yet.", labels: [.peer, .topic])
    package static let mirrorAppended = counter(
        "regionsync_mirror_appended", "Entries a peer has acknowledged.", labels: [.peer, .topic])
    package static let mirrorLatencySeconds = histogram(
        "regionsync_mirror_latency_seconds", "Birth of an entry until a peer acknowledged it.", labels: [.peer],
        bounds: latencyBounds)
    package static let mirrorInflightBytes = gauge(
        "regionsync_mirror_inflight_bytes", "Bytes read for a peer and not yet acknowledged by it.", unit: .bytes,
        labels: [.peer])
    package static let mirrorSentBytes = counter(
        "regionsync_mirror_sent_bytes", "Bytes of entries sent to a peer, repeats included.", unit: .bytes,
        labels: [.peer])
    package static let mirrorFenced = counter(
        "regionsync_mirror_fenced", "Appends refused because a journal was closed or born again.")
    package static let mirrorLost = counter(
        "regionsync_mirror_lost", "Entries known to be lost before every peer had them.", labels: [.cause])
    package static let mirrorForks = counter(
        "regionsync_mirror_forks", "Journals whose lineage split from their copy.", labels: [.cause])
    package static let mirrorHealed = counter("regionsync_mirror_healed", "Entries brought back from a peer's copy.")
    package static let mirrorTrimHeadroomSeconds = gauge(
        "regionsync_mirror_trim_headroom_seconds", "Time until retention would reach entries a peer lacks.",
        unit: .seconds, labels: [.peer])

    package static let certificateNotAfterTimestampSeconds = gauge(
        "regionsync_certificate_not_after_timestamp_seconds",
        "Until when a certificate that the worker shows is valid; of a chain the one that ends first.",
        unit: .seconds, labels: [.certificate])

    package static let clockAheadSeconds = gauge(
        "regionsync_clock_ahead_seconds", "By so much at least a peer's clock is ahead of this region's.",
        unit: .seconds, labels: [.peer])

    package static let projectionLagEntries = gauge(
        "regionsync_projection_lag_entries", "Entries of local journals and copies not yet in state.", labels: [.topic])
    package static let projectionApplied = counter(
        "regionsync_projection_applied", "Entries folded into state.")
    package static let projectionUnreadable = counter(
        "regionsync_projection_unreadable", "Entries that are no event or object we can read; they change no state.")
    package static let projectionWithheld = gauge(
        "regionsync_projection_withheld_entries",
        "Voice entries of a region declared down that came after the cut: kept, and in no state.", labels: [.region])
    package static let projectionIllegalTransitions = counter(
        "regionsync_projection_illegal_transitions", "Events that the state of their call or agent does not allow.")
    package static let projectionLogouts = counter(
        "regionsync_projection_logouts", "Sessions ended here since their agents logged in in another region.")
    package static let projectionReplaced = counter(
        "regionsync_projection_replaced",
        "Keys of the cache, calls, agents and cursors that held something of another kind and were replaced.")
    package static let projectionLackingJournals = gauge(
        "regionsync_projection_lacking_journals",
        "Voice journals of other regions of which something is missing here that was not restated yet.")
    package static let projectionRestated = counter(
        "regionsync_projection_restated", "Calls and agents of this region restated to regions that lacked them.")
    package static let verifyLastSuccessTimestampSeconds = gauge(
        "regionsync_verify_last_success_timestamp_seconds", "When a verification last found no difference.",
        unit: .seconds)
    package static let verifyDriftObjects = gauge(
        "regionsync_verify_drift_objects",
        "Objects in which the cache still differed from PostgreSQL behind the last verification.", labels: [.type])

    package static let verifyRepaired = counter(
        "regionsync_verify_repaired", "Objects in which the cache differed from PostgreSQL for good and was put right.",
        labels: [.type])

    /// Upper bounds for latencies, seconds: 50 µs to 1 min, dense below 10 ms (loopback, one site) and from 20 to
    /// 250 ms (round trips between regions).
    package static let latencyBounds: [Double] = [
        0.00005, 0.0001, 0.00015, 0.0002, 0.0003, 0.0004, 0.0005, 0.0007, 0.001, 0.0015, 0.002, 0.0025, 0.003, 0.004,
        0.005, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11,
        0.12, 0.14, 0.16, 0.18, 0.2, 0.225, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30, 60,
    ]
}
