import CLibPQ
import Glibc
package import PGOutput

// The replication protocol (protocol-replication). Needs `PostgresOptions.isReplication`.
extension PostgresConnection {
    /// The answer to IDENTIFY_SYSTEM.
    package struct SystemIdentity: Hashable, Sendable {
        /// Made by initdb; a promoted standby keeps it.
        package let systemID: String
        package let timeline: UInt32
        /// The end of the log that is safe on disk.
        package let flushLSN: LSN
        package let database: String?
    }

    /// A slot just made.
    package struct CreatedSlot: Hashable, Sendable {
        /// The first LSN from which the slot streams; the snapshot shows exactly what was committed before.
        package let consistentPoint: LSN
        /// For SET TRANSACTION SNAPSHOT in other sessions. It dies with the next command on this connection.
        package let snapshot: String?
    }

    package func identifySystem(timeout: Duration = .seconds(10)) async throws(PostgresError) -> SystemIdentity {
        guard let row = try await query("IDENTIFY_SYSTEM", timeout: timeout).first else {
            throw .protocolViolation("IDENTIFY_SYSTEM answers nothing")
        }
        return SystemIdentity(
            systemID: try row.string("systemid"), timeline: try row.integer("timeline"),
            flushLSN: try row.lsn("xlogpos"), database: try row.optionalString("dbname"))
    }

    /// Makes a logical slot with pgoutput. Waits for every transaction that runs now, at most `timeout`.
    ///
    /// With `exportsSnapshot`, park the connection: send nothing on it until every reader has imported the snapshot.
    /// The publication must be there first, or streaming fails with 42704 for ever.
    package func createSlot(
        _ name: String, exportsSnapshot: Bool = true, isTemporary: Bool = false, timeout: Duration
    ) async throws(PostgresError) -> CreatedSlot {
        let sql = [
            "CREATE_REPLICATION_SLOT", PostgresText.identifier(name), isTemporary ? "TEMPORARY" : nil,
            "LOGICAL pgoutput", exportsSnapshot ? "EXPORT_SNAPSHOT" : "NOEXPORT_SNAPSHOT",
        ]
        guard let row = try await query(sql.compactMap(\.self).joined(separator: " "), timeout: timeout).first else {
            throw .protocolViolation("CREATE_REPLICATION_SLOT answers nothing")
        }
        return CreatedSlot(
            consistentPoint: try row.lsn("consistent_point"), snapshot: try row.optionalString("snapshot_name"))
    }

    /// Drops a slot that is confirmed up to `lsn`; fails with 55006 while it streams. False when there is none, or another
    /// one of that name by now.
    package func dropSlot(
        _ name: String, confirmed lsn: LSN, timeout: Duration = .seconds(10)
    ) async throws(PostgresError) -> Bool {
        let rows = try await query(
            """
            SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
            WHERE slot_name = \(PostgresText.literal(name)) AND coalesce(confirmed_flush_lsn, '0/0') = '\(lsn)'
            """, timeout: timeout)
        return !rows.isEmpty
    }

    /// Begins to stream changes. 55006: another connection holds the slot. 42704: no such slot; a publication that is
    /// missing answers 42704 too, but only with the first change.
    ///
    /// The server never objects to a wrong LSN: an older one is forwarded to the slot's, one beyond the end of the log
    /// silently skips commits. Compare with `identifySystem` and `confirmed_flush_lsn` first.
    package func startReplication(
        slot: String, from lsn: LSN, publications: [String], protocolVersion: Int = 1, messages: Bool = true,
        timeout: Duration = .seconds(10)
    ) async throws(PostgresError) {
        let names = publications.map(PostgresText.identifier).joined(separator: ",")
        var pluginOptions = [
            "proto_version '\(protocolVersion)'", "publication_names \(PostgresText.literal(names))",
        ]
        // Logical messages came with PostgreSQL 14.
        if messages, serverVersion >= 140_000 { pluginOptions.append("messages 'true'") }
        let sql =
            "START_REPLICATION SLOT \(PostgresText.identifier(slot)) LOGICAL \(lsn) "
            + "(\(pluginOptions.joined(separator: ", ")))"
        await takeTurn()
        defer { passTurn() }
        switch try await command(sql, timeout: timeout) {
        case .copyBoth: phase = .replicating
        case .failed(let error): throw error
        case .rows, .copyOut, .copyIn: throw lost()
        }
    }

    /// Every message that can be had without waiting, up to about `maxBytes`; waits for the first one at most `timeout`
    /// and is empty after that. Status updates go out meanwhile. Whoever stops calling this holds the server back.
    ///
    /// A stream that the server ends throws `.closed`, one that fails `.server`; both come after the last message.
    package func receive(maxBytes: Int = 1 << 20, timeout: Duration) async throws(PostgresError) -> CopyBatch {
        await takeTurn()
        defer { passTurn() }
        try requireReplicating()
        if let batch = try await nextBatch(maxBytes: maxBytes, until: ContinuousClock.now + timeout) { return batch }
        throw try await streamEnd()
    }

    /// Reports progress. May be called at any time while the stream runs, also beside a `receive` that waits.
    package func sendStatus(
        written: LSN, flushed: LSN, applied: LSN, requestsReply: Bool = false
    ) async throws(PostgresError) {
        try requireReplicating()
        let update = StatusUpdate(
            written: written, flushed: flushed, applied: applied, sentAt: Self.now, isReplyRequested: requestsReply)
        let deadline = ContinuousClock.now + options.tcpUserTimeout
        var result = handle.putCopyData(update.encoded)
        while result == 0 {
            try await flushSome(until: deadline)
            result = handle.putCopyData(update.encoded)
        }
        guard result == 1 else { throw lost() }
        while true {
            let unsent = handle.flush()
            if unsent == 0 { return }
            guard unsent > 0 else { throw lost() }
            try await flushSome(until: deadline)
        }
    }

    /// Ends the stream and drops what is still under way. Waits for a `receive`.
    ///
    /// The connection takes commands again, but a second logical stream on it ends at once (PostgreSQL 15): walsender
    /// does not forget that the first one was done.
    package func endReplication(timeout: Duration = .seconds(5)) async throws(PostgresError) {
        await takeTurn()
        defer { passTurn() }
        try requireReplicating()
        let deadline = ContinuousClock.now + timeout
        guard handle.putCopyEnd() >= 0, handle.flush() >= 0 else { throw lost() }
        while let batch = try await nextBatch(maxBytes: 1 << 16, until: deadline) {
            guard !batch.isEmpty else {
                shutDown(.timeout)
                throw .timeout
            }
        }
        while let reply = try await nextReply(until: deadline) {
            if case .failed(let error) = reply { throw ended(with: error) }
        }
        phase = .idle
    }

    private func requireReplicating() throws(PostgresError) {
        try requireOpen()
        guard case .replicating = phase else { throw .protocolViolation("no replication stream runs") }
    }

    private func flushSome(until deadline: ContinuousClock.Instant) async throws(PostgresError) {
        switch await thread.wait(for: handle.socket, .write, until: deadline) {
        case .ready: try requireReplicating()
        case .timedOut: throw .timeout
        case .cancelled: throw .cancelled
        }
    }

    /// Why the server ended the stream.
    private func streamEnd() async throws(PostgresError) -> PostgresError {
        let deadline = ContinuousClock.now + options.tcpUserTimeout
        var error = PostgresError.closed("the server ended the replication stream")
        while let reply = try await nextReply(until: deadline) {
            switch reply {
            case .failed(let failure): error = failure
            case .copyIn: _ = handle.putCopyEnd()
            case .rows, .copyOut, .copyBoth: break
            }
        }
        return ended(with: error)
    }

    private func ended(with error: PostgresError) -> PostgresError {
        if handle.isHealthy { phase = .idle } else { shutDown(.closed(handle.errorMessage)) }
        return error
    }

    private static var now: PostgresTimestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return PostgresTimestamp(unixMicroseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
