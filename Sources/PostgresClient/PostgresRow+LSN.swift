package import PGOutput

extension PostgresRow {
    package func lsn(_ column: String) throws(PostgresError) -> LSN {
        guard let value = LSN(try string(column)) else { throw .protocolViolation("column \(column) is no LSN") }
        return value
    }
}
