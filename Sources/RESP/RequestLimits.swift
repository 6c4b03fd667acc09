/// How much one request may be. What is beyond ends the connection, before any memory was taken for it.
package struct RequestLimits: Hashable, Sendable {
    /// Words of a request.
    package var elements: Int
    /// Bytes of a word.
    package var bulkBytes: Int
    /// Bytes of a request in wire form; also of an inline request's line.
    package var queryBytes: Int
    /// Which of Redis' texts the client gets for too many elements and too large words.
    package var isAuthenticated: Bool

    package init(elements: Int, bulkBytes: Int, queryBytes: Int, isAuthenticated: Bool) {
        self.elements = elements
        self.bulkBytes = bulkBytes
        self.queryBytes = queryBytes
        self.isAuthenticated = isAuthenticated
    }

    /// Of a client that has not said who it is: Redis' own limits, and a query that a few words fill.
    package static let beforeAuthentication = RequestLimits(
        elements: 10, bulkBytes: 16 << 10, queryBytes: 64 << 10, isAuthenticated: false)

    /// Of a client that is known.
    package static let afterAuthentication = RequestLimits(
        elements: 65_536, bulkBytes: 512 << 10, queryBytes: 1 << 20, isAuthenticated: true)
}
