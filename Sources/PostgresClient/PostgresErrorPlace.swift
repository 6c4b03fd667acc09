import CLibPQ

/// What an error of the server is about, as far as the server says: constraints name themselves and their table, NOT NULL
/// names its column.
package struct PostgresErrorPlace: Hashable, Sendable {
    package private(set) var schema: String?
    package private(set) var table: String?
    package private(set) var column: String?
    package private(set) var constraint: String?

    init() {}

    init(_ result: OpaquePointer) {
        func field(_ code: UnicodeScalar) -> String? {
            unsafe PQresultErrorField(result, Int32(code.value)).map { unsafe String(cString: $0) }
        }
        schema = field("s")
        table = field("t")
        column = field("c")
        constraint = field("n")
    }
}
