/// Metrics of listeners, Kafka and the process, and the names the platform's dashboards know (operations.md, Metrics).
extension MetricFamily {
    package static let listenerConnections = gauge(
        "regionsync_listener_connections", "Open client connections.", labels: [.port])
    package static let listenerCommands = counter(
        "regionsync_listener_commands", "Commands answered.", labels: [.port, .command, .result])
    package static let listenerSeconds = histogram(
        "regionsync_listener_seconds", "Command received until its reply was written.", labels: [.port, .command],
        bounds: [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5])
    package static let listenerRejected = counter(
        "regionsync_listener_rejected", "Connections and commands refused.", labels: [.port, .reason])

    package static let configCacheObjects = gauge(
        "regionsync_config_cache_objects", "Objects kept in memory for readers of provisioning.")
    package static let configCacheBytes = gauge(
        "regionsync_config_cache_bytes", "What they take.", unit: .bytes)
    package static let configCacheReads = counter(
        "regionsync_config_cache_reads", "Reads of one object, by whether memory had it: hit, miss.",
        labels: [.result])

    package static let voiceJournals = gauge(
        "regionsync_voice_journals", "Journals that are followed for who waits for their entries, or did lately.")
    package static let voiceWaiting = gauge(
        "regionsync_voice_waiting", "Who waits for entries of journals: calls that read, watches.", labels: [.kind])
    package static let voiceBytes = gauge(
        "regionsync_voice_bytes", "What the recent entries take that are kept for them.", unit: .bytes)

    package static let kafkaQueueMessages = gauge(
        "regionsync_kafka_queue_messages", "Messages handed to the producer and not yet acknowledged.")
    package static let kafkaDelivered = counter(
        "regionsync_kafka_delivered", "Messages acknowledged by the brokers.", labels: [.topic])
    package static let kafkaErrors = counter(
        "regionsync_kafka_errors", "Messages the brokers refused and errors of the producer.", labels: [.kind])

    package static let tenantHealthLevel = gauge(
        "tenant_service_health_level", "2 healthy, 1 degraded, 0 failed; the same for all of a worker's tenants.",
        labels: [.tenant])
    package static let tenantRedisState = gauge(
        "tenant_redis_state", "2 connected, 1 connecting, 0 refused: the region's own Redis.", labels: [.tenant])
    package static let tenantConfigClients = gauge(
        "tenant_cs_clients", "Clients of the configuration listener.", labels: [.tenant])
    package static let tenantActiveCalls = gauge(
        "tenant_tserver_active_calls", "Calls that are alive, of all regions, as this region knows them.",
        labels: [.tenant])
    package static let tenantCampaignHealthLevel = gauge(
        "tenant_ocs_health_level", "2 healthy, 1 degraded, 0 failed.", labels: [.tenant])

    package static let processCPUSeconds = counter(
        "process_cpu_seconds", "User and system CPU time spent.", unit: .seconds)
    package static let processResidentMemoryBytes = gauge(
        "process_resident_memory_bytes", "Resident memory size.", unit: .bytes)
    package static let processVirtualMemoryBytes = gauge(
        "process_virtual_memory_bytes", "Virtual memory size.", unit: .bytes)
    package static let processStartTimeSeconds = gauge(
        "process_start_time_seconds", "Start time of the process since 1970.", unit: .seconds)
    package static let processOpenFDs = gauge("process_open_fds", "Open file descriptors.")
    package static let processMaxFDs = gauge("process_max_fds", "Limit of open file descriptors.")
    package static let processThreads = gauge("process_threads", "Threads of the process.")

    /// Every metric there is, for the reference and for checks of dashboards and alerts.
    package static let all: [MetricFamily] = [
        buildInfo, state, droppedSeries,
        captureConnected, captureLagBytes, captureLagSeconds, captureSlotRetainedWALBytes, captureSlotSafeWALBytes,
        captureTransactions, captureChanges, captureResnapshots, commitToVisibleSeconds, capturing, historyNumber,
        mirrorLinkUp, mirrorCut, mirrorLagSeconds, mirrorLagEntries, mirrorAppended, mirrorLatencySeconds,
        mirrorInflightBytes,
        mirrorSentBytes, mirrorFenced, mirrorLost, mirrorForks, mirrorHealed, mirrorTrimHeadroomSeconds,
        certificateNotAfterTimestampSeconds, clockAheadSeconds,
        projectionLagEntries, projectionApplied, projectionUnreadable, projectionIllegalTransitions,
        projectionLogouts, projectionReplaced, projectionLackingJournals, projectionRestated,
        verifyLastSuccessTimestampSeconds, verifyDriftObjects, verifyRepaired,
        listenerConnections, listenerCommands, listenerSeconds, listenerRejected,
        configCacheObjects, configCacheBytes, configCacheReads,
        voiceJournals, voiceWaiting, voiceBytes,
        kafkaQueueMessages, kafkaDelivered, kafkaErrors,
        tenantHealthLevel, tenantRedisState, tenantConfigClients, tenantActiveCalls, tenantCampaignHealthLevel,
        processCPUSeconds, processResidentMemoryBytes, processVirtualMemoryBytes, processStartTimeSeconds,
        processOpenFDs, processMaxFDs, processThreads,
    ]
}
