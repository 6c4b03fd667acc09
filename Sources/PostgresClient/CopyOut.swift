extension PostgresConnection {
    /// Runs `COPY … TO STDOUT` and hands its rows out in batches. The server waits while `body` does; if `body` returns
    /// or throws before the end, the copy is cancelled.
    package nonisolated func withCopyOut<R>(
        _ sql: String, _ body: (PostgresCopyReader) async throws -> R
    ) async throws -> R {
        await takeTurn()
        do {
            let result = try await copyOut(sql, body)
            await passTurn()
            return result
        } catch {
            await passTurn()
            throw error
        }
    }

    /// `withCopyOut` for the holder of the turn.
    nonisolated func copyOut<R>(_ sql: String, _ body: (PostgresCopyReader) async throws -> R) async throws -> R {
        try await beginCopyOut(sql)
        do {
            let result = try await body(PostgresCopyReader(connection: self))
            await abandonCopyOut()
            return result
        } catch {
            await abandonCopyOut()
            throw error
        }
    }

    /// The next messages of a copy, nil at its end; an empty batch once `deadline` has passed.
    func nextBatch(
        maxBytes: Int, until deadline: ContinuousClock.Instant?
    ) async throws(PostgresError) -> CopyBatch? {
        if hasCopyEnded { return nil }
        var batch = CopyBatch()
        var hasRead = false
        while true {
            let count = batch.messages.count
            switch handle.takeCopyData(into: &batch, maxBytes: maxBytes) {
            case .full: return batch
            case .ended:
                hasCopyEnded = true
                return batch.isEmpty ? nil : batch
            case .failed:
                guard batch.isEmpty else { return batch }
                throw lost()
            case .drained: break
            }
            if hasRead, batch.messages.count == count {
                guard batch.isEmpty else { return batch }
                let unsent = handle.flush()
                let outcome = await thread.wait(
                    for: handle.socket, unsent > 0 ? .readAndWrite : .read, until: deadline)
                try requireOpen()
                switch outcome {
                case .ready: break
                case .timedOut: return batch
                case .cancelled: throw .cancelled
                }
            }
            hasRead = true
            guard handle.consumeInput() else {
                // What arrived whole before the connection broke still counts.
                _ = handle.takeCopyData(into: &batch, maxBytes: .max)
                guard batch.isEmpty else { return batch }
                throw lost()
            }
        }
    }

    private func beginCopyOut(_ sql: String) async throws(PostgresError) {
        switch try await command(sql, timeout: .seconds(30)) {
        case .copyOut: phase = .copyingOut
        case .failed(let error): throw error
        case .rows: throw .protocolViolation("the statement is no COPY TO STDOUT")
        case .copyIn, .copyBoth: throw await interrupted(.protocolViolation("the statement is no COPY TO STDOUT"))
        }
    }

    fileprivate func nextRows(maxBytes: Int, timeout: Duration) async throws(PostgresError) -> CopyBatch? {
        try requireOpen()
        guard case .copyingOut = phase else { return nil }
        if let batch = try await nextBatch(maxBytes: maxBytes, until: ContinuousClock.now + timeout) {
            guard !batch.isEmpty else { throw await interrupted(.timeout) }
            return batch
        }
        var failure: PostgresError?
        while let reply = try await nextReply(until: ContinuousClock.now + timeout) {
            if case .failed(let error) = reply { failure = error }
        }
        phase = .idle
        if let failure { throw failure }
        return nil
    }

    private func abandonCopyOut() async {
        if case .copyingOut = phase { _ = await interrupted(.cancelled) }
    }
}

/// Reads the rows of one COPY TO STDOUT, within `withCopyOut`.
package struct PostgresCopyReader: Sendable {
    fileprivate let connection: PostgresConnection

    /// The next rows, about `maxBytes` of them, nil behind the last. `timeout` without any row ends the copy.
    package func next(
        maxBytes: Int = 1 << 20, timeout: Duration = .seconds(60)
    ) async throws(PostgresError) -> CopyBatch? {
        try await connection.nextRows(maxBytes: maxBytes, timeout: timeout)
    }
}
