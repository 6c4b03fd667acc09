import CLibPQ

/// Owns one PGconn; the only place that calls libpq on it. Not thread-safe: it stays with its connection's thread.
///
/// libpq takes a null connection everywhere and calls it bad, so a handle may be used before `start` and after `finish`.
@safe struct PQHandle: ~Copyable {
    enum Progress {
        case done, wantsRead, wantsWrite, failed
    }

    /// What one result says.
    enum Reply {
        case rows(PostgresRows)
        case copyOut, copyIn, copyBoth
        case failed(PostgresError)
    }

    enum CopyProgress {
        /// The batch is as large as asked for.
        case full
        /// Nothing more has arrived.
        case drained
        /// The server's side of the copy is over; a result says how.
        case ended
        case failed
    }

    private var connection: OpaquePointer?
    /// What the last error of the server was about.
    private(set) var refusedAt = PostgresErrorPlace()

    init() {}

    deinit {
        unsafe PQfinish(connection)
    }

    // MARK: Life

    /// Begins to connect; resolves the host's name, which blocks.
    mutating func start(_ parameters: [(name: String, value: String)]) {
        unsafe withCStrings(parameters.map(\.name)) { names in
            unsafe withCStrings(parameters.map(\.value)) { values in
                unsafe connection = PQconnectStartParams(names, values, 0)
            }
        }
        // Verbose, so that a refusal while connecting shows its SQLSTATE, which nothing else tells.
        unsafe PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        unsafe PQsetNoticeReceiver(connection, { _, _ in }, nil)
    }

    func advanceConnecting() -> Progress {
        switch unsafe PQconnectPoll(connection) {
        case PGRES_POLLING_OK: .done
        case PGRES_POLLING_READING: .wantsRead
        case PGRES_POLLING_WRITING: .wantsWrite
        default: .failed
        }
    }

    func becomeNonBlocking() -> Bool {
        unsafe PQsetErrorVerbosity(connection, PQERRORS_DEFAULT)
        return unsafe PQsetnonblocking(connection, 1) == 0
    }

    mutating func finish() {
        unsafe PQfinish(connection)
        unsafe connection = nil
    }

    var isHealthy: Bool { unsafe PQstatus(connection) == CONNECTION_OK }
    var socket: Int32 { unsafe PQsocket(connection) }
    var serverVersion: Int { Int(unsafe PQserverVersion(connection)) }
    var needsPassword: Bool { unsafe PQconnectionNeedsPassword(connection) != 0 }
    var usesTLS: Bool { unsafe PQsslInUse(connection) != 0 }

    /// The last failure in libpq's words, on one line.
    var errorMessage: String {
        guard let text = unsafe PQerrorMessage(connection) else { return "no reason given" }
        let lines = unsafe String(cString: text).split(whereSeparator: \.isNewline).map { line in
            let words = line.drop(while: \.isWhitespace)
            // libpq puts its hints on lines of their own, behind a tab.
            return line.first == "\t" ? "(\(words))" : String(words)
        }
        return lines.joined(separator: " ")
    }

    /// Begins to ask the server to cancel what runs; nil when that is impossible.
    func cancel() -> CancelRequest? { unsafe CancelRequest(connection) }

    // MARK: Commands

    /// Without parameters by the simple protocol, which the replication protocol requires and which allows several
    /// statements at once; otherwise as one statement with text parameters.
    func send(_ sql: String, _ parameters: [String?]) -> Bool {
        guard !parameters.isEmpty else { return unsafe PQsendQuery(connection, sql) == 1 }
        return unsafe withCStrings(parameters) { values in
            unsafe PQsendQueryParams(connection, sql, Int32(parameters.count), nil, values, nil, nil, 0) == 1
        }
    }

    /// 0 all sent, 1 some is left, -1 failed.
    func flush() -> Int32 { unsafe PQflush(connection) }

    /// Takes what has arrived, TLS's own buffer included.
    func consumeInput() -> Bool {
        repeat {
            guard unsafe PQconsumeInput(connection) == 1 else { return false }
        } while unsafe regionsync_pq_tls_pending(connection) > 0
        return true
    }

    var isBusy: Bool { unsafe PQisBusy(connection) == 1 }

    /// The next result of the command, nil behind the last. Blocks while `isBusy`.
    mutating func nextReply() -> Reply? {
        guard let result = unsafe PQgetResult(connection) else { return nil }
        defer { unsafe PQclear(result) }
        switch unsafe PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY, PGRES_TUPLES_OK: return unsafe .rows(rows(of: result))
        case PGRES_COPY_OUT: return .copyOut
        case PGRES_COPY_IN: return .copyIn
        case PGRES_COPY_BOTH: return .copyBoth
        default:
            unsafe refusedAt = PostgresErrorPlace(result)
            return unsafe .failed(error(of: result))
        }
    }

    // MARK: Copy

    /// Moves messages that have arrived into the batch, until it holds `maxBytes`.
    func takeCopyData(into batch: inout CopyBatch, maxBytes: Int) -> CopyProgress {
        while batch.bytes.count < maxBytes {
            var message: UnsafeMutablePointer<CChar>?
            let length = unsafe PQgetCopyData(connection, &message, 1)
            guard length > 0, let message = unsafe message else {
                return length == 0 ? .drained : length == -1 ? .ended : .failed
            }
            unsafe batch.append(UnsafeRawBufferPointer(start: message, count: Int(length)))
            unsafe PQfreemem(message)
        }
        return .full
    }

    /// Puts one message into the output buffer. 1 done, 0 no room now, -1 failed.
    func putCopyData(_ bytes: [UInt8]) -> Int32 {
        unsafe bytes.withUnsafeBytes { buffer in
            unsafe PQputCopyData(
                connection, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(buffer.count))
        }
    }

    func putCopyEnd() -> Int32 { unsafe PQputCopyEnd(connection, nil) }
}
