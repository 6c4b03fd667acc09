internal import CrashPoints
internal import Journal
internal import Logging
internal import Observability
internal import PGOutput

/// Streams from the slot into the journal until told to stop: drives a `CaptureMachine` and a `TransactionEncoder`.
///
/// One loop owns both; reads, appends and timers run beside it and come back as events. While a chunk is encoded the
/// next one is being read.
struct CaptureStream {
    enum Event: Sendable {
        case received(Result<ReplicationChunk, CaptureFailure>)
        case appended(Int, Result<Void, Refusal>)
        case opened(Result<JournalState, Refusal>)
        case woke(at: Duration)
    }

    let capture: Capture
    let journalState: JournalState
    let history: UInt64
    /// Where PostgreSQL's log ended before.
    let flushed: LSN

    /// Runs until the journal asks to begin again, and returns then. Throws what ended it otherwise.
    func run(from lsn: LSN, confirmDelay: Duration) async throws {
        let stream = try await capture.source.stream(from: lsn)
        capture.metrics.connected.set(true)
        do {
            try await run(stream, confirmDelay: confirmDelay)
        } catch {
            capture.metrics.disconnected()
            await stream.close()
            throw error
        }
        capture.metrics.disconnected()
        await stream.close()
    }

    private func run(_ stream: any ReplicationStream, confirmDelay: Duration) async throws {
        let (events, feed) = AsyncStream<Event>.makeStream()
        try await withThrowingDiscardingTaskGroup { group in
            defer { group.cancelAll() }
            var loop = Loop(self, confirmDelay: confirmDelay)
            capture.captured(Position(number: journalState.last.first))
            capture.enter(loop.state)
            var timer = LoopTimer()
            var incoming = events.makeAsyncIterator()
            while true {
                while let action = loop.machine.nextAction(now: timer.now) {
                    switch action {
                    case .read:
                        group.addTask { feed.yield(.received(await Self.receive(stream))) }
                    case .open:
                        group.addTask { [journal = capture.journal] in
                            feed.yield(.opened(await journal.opened()))
                        }
                    case .append(let submission):
                        capture.journal.append(submission.batch, birth: journalState.birth) { result in
                            feed.yield(.appended(submission.number, result))
                        }
                        CrashPoint.captureSent.pass()
                    case .report(let received, let confirmed):
                        // Whenever the server waits it tells who has not received all how far it is.
                        try await stream.report(
                            received: loop.isCaughtUp ? received : .zero, confirmed: confirmed)
                        CrashPoint.captureConfirmed.pass()
                    case .restart:
                        return
                    case .stop(let stop):
                        throw CaptureFailure.stop(stop)
                    }
                }
                guard try !loop.encodeWaiting() else { continue }
                timer.arm(for: loop.machine.deadline, in: &group) { feed.yield(.woke(at: $0)) }
                guard let event = await incoming.next() else { throw CancellationError() }
                if case .woke(let deadline) = event { timer.fired(at: deadline) }
                try loop.take(event, now: timer.now)
            }
        }
    }

    private static func receive(_ stream: any ReplicationStream) async -> Result<ReplicationChunk, CaptureFailure> {
        do throws(CaptureFailure) { return .success(try await stream.receive()) } catch { return .failure(error) }
    }
}

extension CaptureStream {
    /// What the loop owns.
    struct Loop: ~Copyable {
        var machine: CaptureMachine
        private let capture: Capture
        private var encoder: TransactionEncoder
        private var decoder = PGOutputDecoder()
        /// A chunk that was read and is not encoded yet.
        private var waiting: ReplicationChunk?
        private var counts: TransactionEncoder.Counts
        private var sentAt: PostgresTimestamp?
        private var trouble: String?
        private var catchUp: CatchUp

        init(_ stream: CaptureStream, confirmDelay: Duration) {
            capture = stream.capture
            var settings = stream.capture.settings.machine
            settings.confirmDelay = confirmDelay
            machine = CaptureMachine(journal: stream.journalState, settings: settings, now: .zero)
            encoder = TransactionEncoder(
                history: stream.history, catalog: stream.capture.catalog, journaled: stream.journalState.last,
                limits: stream.capture.settings.batch)
            catchUp = CatchUp(to: stream.flushed)
            counts = encoder.counts
            catchUp.reached(machine.recorded, now: .zero)
        }

        /// What is committed comes into the journal as it is committed, or did so before Redis took nothing any more.
        var isCaughtUp: Bool { catchUp.isDone }

        var state: ComponentState {
            if let trouble { return .redisAway(trouble) }
            return isCaughtUp ? .streaming : .catchingUp
        }

        mutating func take(_ event: Event, now: Duration) throws(CaptureFailure) {
            switch event {
            case .received(.success(let chunk)):
                CrashPoint.captureReceived.pass()
                machine.readAnswered()
                waiting = chunk
            case .received(.failure(let failure)):
                throw failure
            case .appended(let number, .success):
                CrashPoint.captureAppended.pass()
                if let batch = machine.appended(number, now: now) { note(batch, now: now) }
            case .appended(let number, .failure(let refusal)):
                machine.refused(number, refusal, now: now)
            case .opened(.success(let state)):
                for batch in machine.opened(state, now: now) { note(batch, now: now) }
            case .opened(.failure(let refusal)):
                machine.refused(refusal, now: now)
            case .woke:
                break
            }
            let wasCaughtUp = isCaughtUp
            catchUp.reached(machine.recorded, now: now)
            guard machine.trouble != trouble || isCaughtUp != wasCaughtUp else { return }
            trouble = machine.trouble
            capture.enter(state)
        }

        /// Encodes the chunk that was read last, if it is not encoded yet; the next read is under way by now. After true
        /// the machine has new actions.
        mutating func encodeWaiting() throws(CaptureFailure) -> Bool {
            guard let chunk = waiting else { return false }
            waiting = nil
            var idle = LSN.zero
            let bytes = unsafe chunk.bytes.span.bytes
            for range in chunk.messages {
                let frame: ReplicationFrame
                do { frame = try ReplicationFrame(bytes, at: range) } catch {
                    throw .stop(.undecodable(lsn: machine.received, what: "\(error.reason)"))
                }
                switch frame {
                case .keepalive(let keepalive):
                    machine.received(walEnd: keepalive.walEnd)
                    idle = max(idle, keepalive.walEnd)
                    sentAt = keepalive.sentAt
                    if keepalive.isReplyRequested {
                        machine.replyRequested()
                    } else {
                        catchUp.sent(upTo: keepalive.walEnd)
                    }
                case .data(let data):
                    machine.received(walEnd: data.walEnd)
                    sentAt = data.sentAt
                    try encode(data, bytes)
                }
            }
            for batch in encoder.takeBatches(isCaughtUp: chunk.isDrained) { machine.encoded(batch) }
            if encoder.isIdle { machine.idle(at: max(idle, encoder.completed)) }
            capture.metrics.add(encoder.counts, since: counts)
            counts = encoder.counts
            noteLag()
            return true
        }

        private mutating func encode(_ data: ReplicationFrame.XLogData, _ bytes: RawSpan) throws(CaptureFailure) {
            let message: PGOutputMessage
            do { message = try decoder.decode(bytes, at: data.payload) } catch {
                throw .stop(
                    .undecodable(
                        lsn: data.start, what: "\(error.reason) at byte \(error.position - data.payload.lowerBound)"))
            }
            do { try encoder.encode(message, columns: decoder.columns, bytes: bytes, lsn: data.start) } catch {
                throw .stop(error)
            }
            guard encoder.hasFullBatches else { return }
            for batch in encoder.takeBatches(isCaughtUp: false) { machine.encoded(batch) }
        }

        private mutating func note(_ batch: CaptureBatch, now: Duration) {
            capture.captured(Position(number: batch.last.first))
            capture.metrics.transactions.add(batch.transactions)
            if let committedAt = batch.committedAt, let sentAt {
                let microseconds = max(0, sentAt.microseconds - committedAt.microseconds)
                capture.metrics.lagSeconds.set(Double(microseconds) / 1e6)
                catchUp.took(aged: .microseconds(microseconds), now: now)
            }
            capture.logger.debug(
                "batch appended",
                [
                    .entryLast: "\(batch.last)", .entries: "\(batch.entries?.count ?? 0)",
                    .transactions: "\(batch.transactions)", .bytes: "\(batch.byteCount)",
                ])
            noteLag()
        }

        private func noteLag() {
            capture.metrics.lagBytes.set(machine.received.bytes(since: machine.recorded))
            if machine.isDrained, encoder.isIdle { capture.metrics.lagSeconds.set(0.0) }
        }
    }
}
