import CLibPQ

// What a PGresult holds, copied out.
extension PQHandle {
    func rows(of result: OpaquePointer) -> PostgresRows {
        let affected = unsafe PQcmdTuples(result).flatMap { unsafe Int(String(cString: $0)) } ?? 0
        let tag = unsafe PQcmdStatus(result).map { unsafe String(cString: $0) } ?? ""
        let rowCount = Int(unsafe PQntuples(result))
        let columnCount = Int(unsafe PQnfields(result))
        let columns = (0..<columnCount).map { column in
            unsafe PQfname(result, Int32(column)).map { unsafe String(cString: $0) } ?? ""
        }
        var bytes: [UInt8] = []
        var ends: [Int] = []
        ends.reserveCapacity(rowCount * columnCount)
        for row in 0..<Int32(rowCount) {
            for column in 0..<Int32(columnCount) {
                guard unsafe PQgetisnull(result, row, column) == 0,
                    let value = unsafe PQgetvalue(result, row, column)
                else {
                    ends.append(~bytes.count)
                    continue
                }
                let length = Int(unsafe PQgetlength(result, row, column))
                unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: value, count: length))
                ends.append(bytes.count)
            }
        }
        return PostgresRows(
            columns: columns, count: rowCount, commandTag: tag, affectedRows: affected, bytes: bytes, ends: ends)
    }

    /// A result without a SQLSTATE comes from libpq itself: the connection broke.
    func error(of result: OpaquePointer) -> PostgresError {
        func field(_ code: UnicodeScalar) -> String? {
            unsafe PQresultErrorField(result, Int32(code.value)).map { unsafe String(cString: $0) }
        }
        guard let sqlState = field("C") else {
            return isHealthy ? .protocolViolation(errorMessage) : .closed(errorMessage)
        }
        return .server(sqlState: sqlState, message: field("M") ?? "", detail: field("D"), hint: field("H"))
    }
}

/// Calls `body` with a null-terminated array of C strings; nil stands for a null pointer.
func withCStrings<R>(
    _ strings: [String?], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> R
) -> R {
    var arena: [CChar] = []
    var offsets: [Int?] = []
    for string in strings {
        offsets.append(string == nil ? nil : arena.count)
        if let string { arena.append(contentsOf: string.utf8CString) }
    }
    return unsafe arena.withUnsafeBufferPointer { arena in
        var pointers: [UnsafePointer<CChar>?] = unsafe []
        for offset in offsets {
            guard let offset, let base = arena.baseAddress else {
                unsafe pointers.append(nil)
                continue
            }
            unsafe pointers.append(base + offset)
        }
        unsafe pointers.append(nil)
        return unsafe pointers.withUnsafeBufferPointer { pointers in
            guard let base = pointers.baseAddress else { preconditionFailure("never empty: a null ends it") }
            return unsafe body(base)
        }
    }
}
